//! How the code lies: rooms, circles of files, names.
#![allow(clippy::unwrap_used, reason = "a test")]

mod arrows;
mod circles;
mod names;
mod rooms;
mod source;
