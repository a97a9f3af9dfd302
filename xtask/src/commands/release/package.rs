//! The version that is released, and the page that it is released on.

use anyhow::{Context as _, Result};
use toml_edit::{Document, Item};
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::record_file;

/// `version` and `repository` of `[workspace.package]` in Cargo.toml.
pub(crate) struct Package {
    pub(crate) version: String,
    /// URL of the page of the repository that has the releases.
    pub(crate) repository: String,
}

impl Package {
    pub(crate) fn read(repo: &Repo) -> Result<Package> {
        let path = repo.root.join("Cargo.toml");
        let text = record_file::text(&path)?;
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
