//! Uncommitted changes in a checkout of derivative-maker and in its submodules.

use crate::facts::git::git;
use crate::hash;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Repositories with changes that no commit holds, and the hash of these changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamChanges {
    /// Paths of the repositories in the checkout; `.` is the checkout itself.
    pub repositories: Vec<String>,
    /// Text to hash: each changed file, with the hash of its content.
    pub content: String,
}

impl UpstreamChanges {
    /// Looks into the checkout in `dir` and into its submodules `paths`.
    ///
    /// # Errors
    /// git fails; a changed file cannot be read.
    pub fn gather<'a>(dir: &Path, paths: impl Iterator<Item = &'a str>) -> Result<UpstreamChanges> {
        let mut found = UpstreamChanges::default();
        found.look(dir, ".")?;
        for path in paths {
            found.look(&dir.join(path), path)?;
        }
        Ok(found)
    }

    fn look(&mut self, repository: &Path, name: &str) -> Result<()> {
        // a submodule at another commit is no change here: its commit is hashed
        let status = git(repository)
            .args(["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all"])
            .arg("--ignore-submodules=all")
            .read()?;
        let changed: Vec<&str> = status.split('\0').filter(|entry| entry.len() > 3).collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.repositories.push(name.to_owned());
        for entry in changed {
            let file: PathBuf = repository.join(&entry[3..]);
            let state = match file.symlink_metadata() {
                Ok(meta) if meta.is_file() => hash::file(&file)?.0.to_string(),
                Ok(_) => format!("{:?}", std::fs::read_link(&file).ok()),
                Err(_) => "removed".to_owned(),
            };
            self.content += &format!("{name} {entry} {state}\n");
        }
        Ok(())
    }
}
