//! What every command stands on: spawning, failing, printing, hashing, the facts of this machine
//! and checkout, the pins and the records. Knows no command; needs no clap, so that it builds beside it.

pub mod apt;
pub mod calendar;
mod command;
pub mod deb822;
pub mod exec;
pub mod facts;
pub mod failure;
pub mod glob;
pub mod hash;
pub mod http;
pub mod interrupt;
pub mod log;
pub mod pins;
pub mod recipe;
pub mod records;
pub mod rules;
pub mod secret;
pub mod signal;
pub mod step;
pub mod toml_file;
pub mod ui;
