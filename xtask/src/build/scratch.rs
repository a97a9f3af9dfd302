//! Scratch folders beside a result, for what a command needs between its builds.

use super::plan::unique;
use super::sweep;
use super::workdir::WorkFolder;
use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_core::facts::host::Owner;
use xtask_core::facts::repo::Repo;

/// A folder that is removed with its value, or if this run is killed by the next one.
pub(crate) struct ScratchFolder {
    path: PathBuf,
    _work: WorkFolder,
}

impl ScratchFolder {
    /// The path of a new folder beside the result `output`. `name` shows what it is for.
    pub(crate) fn beside(output: &Path, name: &str) -> PathBuf {
        let beside = output.parent().unwrap_or(Path::new("/"));
        beside.join(format!(".work-{}", unique(name)))
    }

    /// Makes the folder at a path of [`ScratchFolder::beside`].
    ///
    /// # Errors
    /// The folder cannot be made (exit code 3).
    pub(crate) fn create(path: &Path, repo: &Repo, caller: Owner) -> Result<ScratchFolder> {
        let work = WorkFolder::create(path, &sweep::notes(repo), caller)?;
        Ok(ScratchFolder { path: path.to_owned(), _work: work })
    }

    /// The folder for one of several things in a scratch folder at `path`.
    pub(crate) fn place(path: &Path, name: &str) -> PathBuf {
        path.join("out").join(name)
    }

    /// The folder for one of several things.
    pub(crate) fn of(&self, name: &str) -> PathBuf {
        ScratchFolder::place(&self.path, name)
    }
}
