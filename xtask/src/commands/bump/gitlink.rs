//! The recorded commit of derivative-maker, in the index and in the submodule's folder.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use xtask_core::facts::git::{SUBMODULE, git};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};

/// The gitlink as it was when the command began.
pub(super) struct Gitlink {
    root: PathBuf,
    /// Commit in the index, so that a bump that is not committed yet counts.
    pub(super) pinned: String,
    submodule: Option<Submodule>,
}

/// An initialised submodule.
struct Submodule {
    dir: PathBuf,
    /// Branch or commit that is checked out.
    head: String,
}

impl Gitlink {
    /// Reads the index and the submodule. A submodule with changes of its own is refused.
    pub(super) fn read(repo: &Repo) -> Result<Gitlink> {
        let entry = git(&repo.root).args(["ls-files", "--stage", "--", SUBMODULE]).read()?;
        let pinned = entry.strip_prefix("160000 ").and_then(|rest| rest.split(' ').next());
        let pinned = pinned
            .with_context(|| {
                format!("the index holds no gitlink {SUBMODULE}: expected a submodule")
            })
            .or_exit(Code::NotReady)?;
        let dir = repo.submodule();
        let submodule = dir.join(".git").exists().then(|| Submodule::read(dir)).transpose()?;
        Ok(Gitlink { root: repo.root.clone(), pinned: pinned.to_owned(), submodule })
    }

    pub(super) fn has_submodule(&self) -> bool {
        self.submodule.is_some()
    }

    /// Checks out `commit`, fetched from the repository `from`, and stages it. When a step fails,
    /// the steps before it are undone.
    pub(super) fn move_to(&self, commit: &str, from: &Path) -> Result<()> {
        if let Some(Submodule { dir, .. }) = &self.submodule {
            git(dir).args(["fetch", "--quiet"]).arg(from).arg(commit).read()?;
            git(dir).args(["checkout", "--quiet", "--detach", commit]).read()?;
        }
        self.stage(commit).map_err(|error| and_undo(error, self.check_out_again()))
    }

    /// Undoes [`Gitlink::move_to`] because of `error`, and returns the error.
    pub(super) fn move_back(&self, error: anyhow::Error) -> anyhow::Error {
        and_undo(error, self.check_out_again().and_then(|()| self.stage(&self.pinned)))
    }

    fn check_out_again(&self) -> Result<()> {
        let Some(Submodule { dir, head }) = &self.submodule else { return Ok(()) };
        git(dir).args(["checkout", "--quiet", head]).read().map(drop)
    }

    fn stage(&self, commit: &str) -> Result<()> {
        let entry = format!("160000,{commit},{SUBMODULE}");
        git(&self.root).args(["update-index", "--cacheinfo", &entry]).read().map(drop)
    }
}

impl Submodule {
    fn read(dir: PathBuf) -> Result<Submodule> {
        let changes = git(&dir).args(["status", "--porcelain", "--untracked-files=no"]).read()?;
        if !changes.is_empty() {
            refuse(&[Problem::new(
                format!("{SUBMODULE} has changes of its own, which would be lost"),
                format!("look at them: git -C {SUBMODULE} status"),
            )])?;
        }
        let branch = git(&dir).args(["symbolic-ref", "--quiet", "--short", "HEAD"]).read();
        let head = branch.or_else(|_| git(&dir).args(["rev-parse", "HEAD"]).read())?;
        Ok(Submodule { dir, head })
    }
}

fn and_undo(error: anyhow::Error, undone: Result<()>) -> anyhow::Error {
    match undone {
        Ok(()) => error,
        Err(second) => error.context(format!("{SUBMODULE} could not be moved back: {second:#}")),
    }
}
