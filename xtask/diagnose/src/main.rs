//! `cargo xtask diagnose` and `cargo xtask inspect`: a package of its own, so that only those who
//! ask for them build the readers of image formats.

#[macro_use]
mod text;

mod builder_shell;
mod classify;
mod cli;
mod compare;
mod dates;
mod diagnose;
mod difference;
mod diffoscope;
mod edits;
mod images;
mod inspect;
mod packages;
mod page_file;
mod records;
mod report;
mod subject;

use anyhow::Result;
use clap::Parser as _;
use cli::{Cli, Command};
use std::process::ExitCode;
use xtask_core::ending;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() {
            ending::of_usage(&error.to_string());
        }
        error.exit()
    });
    ending::of(run(&cli.command))
}

fn run(command: &Command) -> Result<()> {
    // signals keep their default: there is nothing to clean up, until diffoscope runs
    match command {
        Command::Diagnose(args) => diagnose::command(args),
        Command::Inspect(args) => inspect::command(args),
    }
}
