//! `cargo xtask release`: makes a release of a verified build. `build` collects it into a folder,
//! and refuses what must not be released. `publish` uploads that folder to Gitea.

mod build;
mod candidate;
mod folder;
mod gitea;
mod package;
mod publish;
mod tag;
mod upload;

pub(crate) use gitea::{MAX_MIB, api_of};
pub(crate) use package::Package;
pub(crate) use tag::is_tag;

use anyhow::Result;
use xtask_core::facts::repo::Repo;
use xtask_core::http::Http;
use xtask_core::secret::Secret;
use xtask_core::ui::Ui;

/// Make a release of a verified build
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum ReleaseCommand {
    Build(build::ReleaseBuildArgs),
    Publish(publish::ReleasePublishArgs),
}

pub(crate) fn command(repo: &Repo, command: &ReleaseCommand) -> Result<()> {
    match command {
        ReleaseCommand::Build(args) => build::command(repo, args),
        ReleaseCommand::Publish(args) => publish::command(repo, args),
    }
}

/// Fails unless the token's owner may write to the repository at that page. Asks only once.
pub(crate) fn may_write(repository: &str, token: &Secret, ui: &Ui) -> Result<()> {
    let http = Http { attempts: 1, stall_timeout: 20, ..Http::default() };
    gitea::Gitea::new(http, &repository.parse()?, token.clone(), ui)?.may_write()
}
