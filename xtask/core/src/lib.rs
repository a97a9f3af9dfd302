//! The ground floor of the build automation: running commands, errors and exit codes, output, hashes,
//! HTTP, facts about this machine and checkout, pins, recipes and records.
//!
//! It knows no command of xtask. It does not use clap, so that cargo compiles the two side by side.

pub mod apt;
pub mod as_root;
mod as_seen;
pub mod calendar;
pub mod ci;
mod command;
pub mod deb822;
pub mod dry_run;
pub mod ending;
pub mod escape;
pub mod exec;
pub mod facts;
pub mod failure;
pub mod glob;
pub mod gzip;
pub mod hash;
pub mod http;
pub mod in_place;
pub mod inner_path;
pub mod interrupt;
pub mod json;
pub mod levers;
pub mod lock;
pub mod log;
pub mod loop_devices;
pub mod names;
pub mod page;
pub mod pax;
pub mod pins;
pub mod recipe;
pub mod record_file;
pub mod records;
pub mod removal;
pub mod replace;
pub mod rules;
pub mod secret;
pub mod signal;
pub mod step;
pub mod toml_file;
mod toml_reader;
pub mod ui;
