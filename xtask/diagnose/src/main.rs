//! `cargo xtask diagnose` and `cargo xtask inspect`: a package of its own, so that the readers of
//! image formats are only built by who asks for them.

#[allow(dead_code, unused_imports)]
mod causes;
mod cli;
#[allow(dead_code)]
mod compare;
// its consumers land piece by piece
#[allow(dead_code)]
mod difference;
#[allow(dead_code)]
mod edits;

use anyhow::{Context as _, Result};
use base::failure::Code;
use base::interrupt;
use clap::Parser as _;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(Code::of(&error) as u8)
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    interrupt::install().context("cannot listen for signals")?;
    match &cli.command {
        Command::Diagnose(args) => anyhow::bail!("no reader has landed yet for {:?}", args.images),
        Command::Inspect(args) => anyhow::bail!("no reader has landed yet for {:?}", args.images),
    }
}
