//! One file or folder per command, named as the user types it.

pub(crate) mod boot;
pub(crate) mod bump;
pub(crate) mod check;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod diagnose;
pub(crate) mod doctor;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod iso;
pub(crate) mod release;
pub(crate) mod reproduce;
pub(crate) mod test;
pub(crate) mod tools;
pub(crate) mod verify;
