//! `cargo xtask release`: makes a release of a verified build. `build` collects it into a folder,
//! and refuses what must not be released. `publish` uploads that folder to Gitea.

mod build;
mod candidate;
mod folder;
mod gitea;
mod publish;
mod upload;

use anyhow::{Context as _, Result};
use std::path::PathBuf;
use toml_edit::{Document, Item};
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
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

/// Prefix of the tag of a test release. The tag of a release is `v` and the version.
const TEST_PREFIX: &str = "test-";

/// Gitea's default limit for one file of a release in MiB (`FILE_MAX_SIZE` under
/// `[repository.release]` in app.example.ini).
pub(crate) const GITEA_MAX_MIB: u64 = 2048;

/// `version` and `repository` of `[workspace.package]` in Cargo.toml.
pub(crate) struct Package {
    pub(crate) version: String,
    /// URL of the page of the repository that has the releases.
    pub(crate) repository: String,
}

impl Package {
    pub(crate) fn read(repo: &Repo) -> Result<Package> {
        let path = repo.root.join("Cargo.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.shown()))?;
        let document: Document<&str> = Document::parse(text.as_str())
            .with_context(|| format!("{}", path.shown()))
            .or_exit(Code::NotReady)?;
        let field = |name: &str| {
            let package = document.get("workspace").and_then(|w| w.get("package"));
            let value = package.and_then(|package| package.get(name)).and_then(Item::as_str);
            let value = value.map(str::to_owned).with_context(|| {
                format!("{}: expected `{name}` in [workspace.package]", path.shown())
            });
            value.or_exit(Code::NotReady)
        };
        Ok(Package { version: field("version")?, repository: field("repository")? })
    }

    /// The tag of the release of this version.
    pub(crate) fn tag(&self) -> String {
        format!("v{}", self.version)
    }
}

/// Fails unless the token can read the repository at that page. Asks only once.
pub(crate) fn may_read(repository: &str, token: &Secret, ui: &Ui) -> Result<()> {
    let http = Http { attempts: 1, stall_timeout: 20, ..Http::default() };
    gitea::Gitea::new(http, &repository.parse()?, token.clone(), ui)?.read()
}

/// Default folder of a release.
fn default_folder(repo: &Repo, tag: &str) -> PathBuf {
    repo.output().join(format!("release-{tag}"))
}

/// Returns `true` if git (git-check-ref-format(1)), a URL and a file name all accept the tag as is.
pub(crate) fn is_tag(tag: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let ends = tag.starts_with(|c: char| c.is_ascii_alphanumeric()) && !tag.ends_with('.');
    ends && tag.chars().all(plain) && !tag.contains("..") && !tag.ends_with(".lock")
}
