//! The commands that move a pin.
#![allow(clippy::disallowed_methods, reason = "tests start xtask and its peers themselves")]
#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod image;
mod rehearsal;
mod signer;
mod snapshot;
#[path = "../support/stand_in.rs"]
mod stand_in;
mod submodule;
#[path = "../support/mod.rs"]
mod support;
mod upstream;
