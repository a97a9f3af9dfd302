//! `cargo xtask`: builds, verifies and releases reproducible ISOs. Every script and CI job calls it.

mod build;
mod builder_image;
mod cli;
mod commands;
mod engine;
mod external;
mod qemu;
mod registry;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use cli::{Cli, Command};
use engine::private::EngineFolders;
use std::process::ExitCode;
use xtask_core::facts::repo::Repo;
use xtask_core::ui::Ui;
use xtask_core::{as_root, ending, interrupt};

fn main() -> ExitCode {
    let cli: Cli = xtask_args::parse();
    let ran = interrupt::beside_the_signals(|| run(&cli.command));
    ending::of(ran.unwrap_or_else(|error| Err(error).context("cannot start a thread")))
}

fn run(command: &Command) -> Result<()> {
    let told =
        || Ui::new(false).notice("interrupted: stopping; interrupt twice more to leave at once");
    let left = || {
        Ui::new(false).notice("left without cleaning up, because a read or a program does not end")
    };
    interrupt::install(told, left).context("cannot listen for signals")?;
    let repo = Repo::find()?;
    let done = execute(&repo, command);
    let given = as_root::give_back(&repo.state(), EngineFolders::NAME);
    done.and(given)
}

fn execute(repo: &Repo, command: &Command) -> Result<()> {
    match command {
        Command::Iso(args) => commands::iso::command(repo, args),
        Command::Verify(args) => commands::verify::command(repo, args),
        Command::Boot(args) => commands::boot::command(repo, args),
        Command::Check(args) => commands::check::command(repo, args, cli::refusal),
        Command::Diagnose(args) => commands::diagnose::command(repo, args),
        Command::Inspect(_) => commands::inspect::command(repo),
        Command::Doctor(args) => commands::doctor::command(repo, args),
        Command::Image(command) => commands::image::command(repo, command),
        Command::Release(command) => commands::release::command(repo, command),
        Command::Reproduce(args) => commands::reproduce::command(repo, args),
        Command::BumpImage(args) => commands::bump::image::command(repo, args),
        Command::BumpSnapshot(args) => commands::bump::snapshot::command(repo, args),
        Command::BumpSubmodule(args) => commands::bump::submodule::command(repo, args),
        Command::Completions(args) => commands::completions::command(Cli::command(), args),
        Command::Clean(args) => commands::clean::command(repo, args),
        Command::Test(args) => commands::test::command(repo, args),
    }
}
