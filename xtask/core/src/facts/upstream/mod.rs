//! The checkout of derivative-maker that recipe `base` builds from: the pinned submodule, the one that
//! `--upstream` names, or the candidate of a bump.

mod changes;
mod problems;
mod tags;
#[cfg(test)]
mod tests;

use super::git::git;
use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _};
use crate::hash;
use crate::pins::{Commit, Digest};
use anyhow::{Context as _, Result};
use changes::UpstreamChanges;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A checkout of derivative-maker. [`Upstream::problems`] tells what is wrong with it.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub dir: PathBuf,
    /// Its git folder, if that is not `dir/.git`: a submodule's lies in its superproject.
    pub git_dir: Option<PathBuf>,
    pub origin: UpstreamOrigin,
    /// Commit that is checked out; `None` if there is none.
    pub commit: Option<Commit>,
    /// Commit that SilverMetal's tree pins.
    pub pin: Option<Commit>,
    /// Tags at that commit. Upstream's own checks want exactly one, and that it is signed.
    pub tags: Vec<String>,
    /// Its own submodules, at any depth.
    pub packages: Packages,
    /// `COMMIT PATH` of those that are checked out.
    pub revisions: Vec<String>,
    /// Changes that no commit holds.
    pub changes: UpstreamChanges,
    /// Repositories with a tag that upstream's own checks refuse: path and reason. `.` is the checkout.
    pub refused_tags: Vec<(String, String)>,
    /// Hash of the commit, of its submodules' commits, and of the changes.
    pub digest: Digest,
}

/// Origin of the decision for a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamOrigin {
    /// The submodule linux/build/derivative-maker, which SilverMetal's tree pins.
    Submodule,
    /// `--upstream`, for people who work on derivative-maker. Such an ISO is never released.
    Caller,
    /// A clean copy of a commit that may become the pin (`bump-submodule --rehearse`). Such an ISO is never
    /// released.
    Candidate,
}

/// The submodules of a checkout: those at their pins, at other commits, and missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    pub at_their_pin: usize,
    pub elsewhere: Vec<String>,
    pub missing: Vec<String>,
}

impl Upstream {
    /// Reads the checkout in `dir`.
    ///
    /// # Errors
    /// `--upstream` names no checkout; git fails. A submodule that is not initialised is no error.
    pub fn gather(dir: &Path, origin: UpstreamOrigin, pin: Option<Commit>) -> Result<Upstream> {
        let dir = match dir.canonicalize() {
            // somebody removed the folder: it is not initialised either
            Err(error)
                if origin == UpstreamOrigin::Submodule && error.kind() == ErrorKind::NotFound =>
            {
                dir.to_owned()
            }
            found => found.with_context(|| format!("cannot read {}", dir.shown())).or_exit(
                if origin == UpstreamOrigin::Caller { Code::Usage } else { Code::NotReady },
            )?,
        };
        let there = dir.join(".git").exists() && dir.join("derivative-maker").is_file();
        if !there {
            if origin == UpstreamOrigin::Caller {
                return Err(Code::Usage.error(format!(
                    "{} is no checkout of derivative-maker: expected .git and derivative-maker in it",
                    dir.shown()
                )));
            }
            return Ok(Upstream {
                dir,
                git_dir: None,
                origin,
                commit: None,
                tags: Vec::new(),
                pin,
                packages: Packages::default(),
                revisions: Vec::new(),
                changes: UpstreamChanges::default(),
                refused_tags: Vec::new(),
                digest: hash::text(""),
            });
        }
        let head = git(&dir).args(["rev-parse", "HEAD"]).read()?;
        let tags = git(&dir).args(["tag", "--points-at", "HEAD"]).read()?;
        let status = git(&dir).args(["submodule", "status", "--recursive"]).read()?;
        let git_dir = dir
            .join(".git")
            .is_file()
            .then(|| git(&dir).args(["rev-parse", "--absolute-git-dir"]).read().map(PathBuf::from));
        let revisions = revisions(&status);
        let paths = || revisions.iter().filter_map(|line| Some(line.split_once(' ')?.1));
        let changes = match origin {
            UpstreamOrigin::Caller | UpstreamOrigin::Candidate => {
                UpstreamChanges::gather(&dir, paths())?
            }
            // a changed pinned submodule makes the whole checkout dirty
            UpstreamOrigin::Submodule => UpstreamChanges::default(),
        };
        let mut refused_tags = Vec::new();
        for path in std::iter::once(".").chain(paths()) {
            let refused = tags::refused(&dir.join(path), "HEAD")?;
            refused_tags.extend(refused.map(|why| (path.to_owned(), why)));
        }
        Ok(Upstream {
            git_dir: git_dir.transpose()?,
            origin,
            pin,
            tags: tags.lines().map(str::to_owned).collect(),
            commit: Some(head.parse()?),
            packages: Packages::parse(&status),
            digest: hash::text(&format!("{head}\n{}{}", revisions.join("\n"), changes.content)),
            changes,
            refused_tags,
            revisions,
            dir,
        })
    }

    /// A copy of `commit` that is still to be made in `dir`. The objects are in `repository`.
    ///
    /// # Errors
    /// git fails.
    pub fn planned(
        repository: &Path,
        dir: &Path,
        commit: &Commit,
        pin: Option<Commit>,
    ) -> Result<Upstream> {
        let tags = git(repository).args(["tag", "--points-at"]).arg(commit.to_string()).read()?;
        let refused = tags::refused(repository, &commit.to_string())?;
        Ok(Upstream {
            dir: dir.to_owned(),
            git_dir: None,
            origin: UpstreamOrigin::Candidate,
            commit: Some(commit.clone()),
            pin,
            tags: tags.lines().map(str::to_owned).collect(),
            packages: Packages::default(),
            revisions: Vec::new(),
            changes: UpstreamChanges::default(),
            refused_tags: refused.map(|why| (".".to_owned(), why)).into_iter().collect(),
            digest: hash::text(&commit.to_string()),
        })
    }

    /// True if upstream's own check of tags has to be told that there is none. Only a candidate may be built
    /// without a tag.
    pub fn is_untagged(&self) -> bool {
        self.origin == UpstreamOrigin::Candidate && self.tags.is_empty()
    }

    /// A note about a checkout that is not the pinned one.
    pub fn notice(&self) -> Option<String> {
        match self.origin {
            UpstreamOrigin::Submodule => None,
            UpstreamOrigin::Caller => Some(self.notice_of_caller()),
            UpstreamOrigin::Candidate => {
                let commit = self.commit.as_ref().map(Commit::to_string).unwrap_or_default();
                let untagged = if self.is_untagged() {
                    "; no tag points at it, so upstream's check of its tag is off"
                } else {
                    ""
                };
                Some(format!(
                    "derivative-maker is the candidate {commit}, not the pin{untagged}: this ISO is never released"
                ))
            }
        }
    }

    fn notice_of_caller(&self) -> String {
        let Packages { at_their_pin, elsewhere, missing } = &self.packages;
        let named = |names: &[String]| {
            if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
        };
        let changed = match &self.changes.repositories[..] {
            [] => String::new(),
            names => format!("; uncommitted changes in {}", names.join(", ")),
        };
        format!(
            "derivative-maker comes from {}, not from the pinned submodule; of its own submodules \
             {at_their_pin} are at their pins, {} elsewhere, {} missing{}{changed}: this ISO is \
             never released",
            self.dir.shown(),
            elsewhere.len(),
            missing.len(),
            named(missing),
        )
    }
}

impl Packages {
    /// Reads the output of `git submodule status`: lines of sign, commit, path and an optional
    /// description.
    fn parse(status: &str) -> Packages {
        let mut packages = Packages::default();
        for line in status.lines().filter(|line| !line.trim().is_empty()) {
            let path = line.get(1..).and_then(|rest| rest.split_whitespace().nth(1));
            let path = path.unwrap_or_default().to_owned();
            match line.chars().next() {
                Some(' ') => packages.at_their_pin += 1,
                Some('-') => packages.missing.push(path),
                _ => packages.elsewhere.push(path),
            }
        }
        packages
    }
}

/// `COMMIT PATH` of what is checked out, without git's description in brackets.
fn revisions(status: &str) -> Vec<String> {
    let lines = status.lines().filter(|line| !line.starts_with('-')).filter_map(|line| {
        let mut words = line.get(1..)?.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    });
    lines.collect()
}
