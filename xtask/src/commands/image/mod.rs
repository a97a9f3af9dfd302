//! `cargo xtask image`: the builder image.

pub(crate) mod build;
pub(crate) mod push;
pub(crate) mod run;
pub(crate) mod show;
