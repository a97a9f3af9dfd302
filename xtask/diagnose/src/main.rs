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
mod records;
mod report;
mod subject;

use anyhow::Result;
use cli::{Cli, Command};
use std::process::ExitCode;
use xtask_core::ending;

fn main() -> ExitCode {
    let cli: Cli = xtask_args::parse();
    ending::of(run(&cli.command))
}

fn run(command: &Command) -> Result<()> {
    // signals keep their default: there is nothing to clean up, until diffoscope runs
    match command {
        Command::Diagnose(started) => {
            diagnose::command(&started.args, started.diffoscope_command.as_ref())
        }
        Command::Inspect(args) => inspect::command(args),
    }
}
