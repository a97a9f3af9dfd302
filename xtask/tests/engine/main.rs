//! Tests with real engines, as root: the dockerd of engine private, the builder image, engine host.
//!
//! A plain `cargo test` ignores these tests; `cargo xtask test --full` runs them. `Machine::get` lets
//! one run at a time.
#![allow(clippy::disallowed_methods, reason = "tests start xtask and its peers themselves")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may print and panic, also in its helpers"
)]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod callers;
mod ci;
mod contract;
mod diffoscope;
mod doctor;
mod image_verify;
mod inputs;
mod interrupted;
mod machine;
mod not_ready;
mod old_archive;
mod published;
#[path = "../support/registry.rs"]
mod registry;
mod rehearsal;
mod reproducible;
#[path = "../support/stand_in.rs"]
mod stand_in;
#[path = "../support/mod.rs"]
mod support;
mod upstream;
mod vm;
