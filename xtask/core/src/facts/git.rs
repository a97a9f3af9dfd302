//! The commit that is built.

use super::repo::Repo;
use crate::escape::Shown as _;
use crate::exec::Cmd;
use crate::failure::{Code, OrExit as _};
use crate::pins::Commit;
use anyhow::{Context as _, Result};
use std::path::Path;

/// Path of the submodule in the checkout.
pub const SUBMODULE: &str = "linux/build/derivative-maker";

/// The commit that is checked out, and the state of the checkout.
#[derive(Clone, Debug)]
pub struct CheckoutState {
    pub commit: Commit,
    /// Abbreviated commit id: the name of the output folder.
    pub short: String,
    /// Committer time, seconds since 1970-01-01 UTC.
    pub commit_time: u64,
    pub dirty: bool,
    /// The commit that the tree records for linux/build/derivative-maker.
    pub submodule: Option<Commit>,
}

pub fn git(dir: &Path) -> Cmd {
    // git refuses a checkout of another user; root builds in such ones (sudo, CI)
    Cmd::new("git").args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C"]).arg(dir)
}

impl CheckoutState {
    pub fn gather(repo: &Repo) -> Result<CheckoutState> {
        let git = || git(&repo.root);
        let head = git()
            .args(["log", "-1", "--format=%H %ct"])
            .read()
            .with_context(|| {
                format!("{} has no commit to build from: expected a git clone", repo.root.shown())
            })
            .or_exit(Code::NotReady)?;
        let (commit, time) = head.split_once(' ').context("unexpected output of git log")?;
        let changes = git().args(["status", "--porcelain", "--untracked-files=normal"]).read()?;
        let gitlink = git().args(["ls-tree", "HEAD", SUBMODULE]).read()?;
        let submodule = gitlink
            .strip_prefix("160000 commit ")
            .and_then(|rest| rest.split_whitespace().next())
            .map(str::parse)
            .transpose()?;
        Ok(CheckoutState {
            commit: commit.parse()?,
            short: git().args(["rev-parse", "--short=7", "HEAD"]).read()?,
            commit_time: time.parse().context("unexpected output of git log")?,
            dirty: !changes.is_empty(),
            submodule,
        })
    }
}
