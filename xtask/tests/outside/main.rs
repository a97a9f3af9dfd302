//! Nothing from outside is believed: releases, records, servers and names that mean harm.
#![allow(clippy::disallowed_methods, reason = "tests start xtask and its peers themselves")]
#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod images;
mod origins;
mod records;
#[path = "../support/mod.rs"]
mod support;
mod throttled;
mod tokens;
mod waits;
mod words;
