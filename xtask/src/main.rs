//! `cargo xtask`: the one door to everything that turns a commit into a reproducible ISO.

mod boot;
mod bump;
mod clean;
mod cli;
mod doctor;
mod engine;
mod image;
mod inputs;
mod iso;
mod passed_on;
mod recipe;
mod records;
mod registry;
mod release;
mod reproduce;
mod selftest;
mod verify;

use anyhow::{Context as _, Result};
use base::facts::repo::Repo;
use base::failure::Code;
use base::interrupt;
use base::secret::redacted;
use cli::{Command, ImageCommand, ReleaseCommand};
use std::process::ExitCode;

fn main() -> ExitCode {
    let command: Command = arguments::parse("cargo xtask");
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", redacted(&format!("error: {error:#}")));
            ExitCode::from(Code::of(&error) as u8)
        }
    }
}

fn run(command: &Command) -> Result<()> {
    interrupt::install().context("cannot listen for signals")?;
    let repo = Repo::find()?;
    match command {
        Command::Iso(args) => iso::command(&repo, args),
        Command::Verify(args) => verify::command(&repo, args),
        Command::Boot(args) => boot::command(args),
        Command::Check(args) => passed_on::check(&repo, args),
        Command::Diagnose(args) => passed_on::diagnose(&repo, "diagnose", args),
        Command::Inspect(args) => passed_on::diagnose(&repo, "inspect", args),
        Command::Doctor(args) => doctor::command(&repo, args),
        Command::Image(ImageCommand::Build(args)) => image::build::command(&repo, args),
        Command::Release(ReleaseCommand::Build(args)) => release::build::command(&repo, args),
        Command::Release(ReleaseCommand::Publish(args)) => release::publish::command(&repo, args),
        Command::Reproduce(args) => reproduce::command(&repo, args),
        Command::Image(ImageCommand::Push(args)) => image::push::command(&repo, args),
        Command::Image(ImageCommand::Run(args)) => image::run::command(&repo, args),
        Command::Image(ImageCommand::Show(args)) => image::show::command(&repo, args),
        Command::BumpImage(args) => bump::image::command(&repo, args),
        Command::BumpSnapshot(args) => bump::snapshot::command(&repo, args),
        Command::BumpSubmodule(args) => bump::submodule::command(&repo, args),
        Command::Clean(args) => clean::command(&repo, args),
        Command::Test(args) => selftest::command(&repo, args),
    }
}
