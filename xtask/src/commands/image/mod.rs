//! `cargo xtask image`: the builder image.

mod build;
mod push;
mod show;
mod verify;

use anyhow::Result;
use xtask_core::facts::repo::Repo;

/// Build, push or show the builder image
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum ImageCommand {
    Build(build::ImageBuildArgs),
    Push(push::ImagePushArgs),
    Show(show::ImageShowArgs),
}

pub(crate) fn command(repo: &Repo, command: &ImageCommand) -> Result<()> {
    match command {
        ImageCommand::Build(args) => build::command(repo, args),
        ImageCommand::Push(args) => push::command(repo, args),
        ImageCommand::Show(args) => show::command(repo, args),
    }
}
