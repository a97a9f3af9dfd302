//! The commands that move a pin: each edits every file that carries it, whole or not at all, and
//! prints what the review of it needs. None commits.

mod archive;
mod edit;
pub(crate) mod image;

pub(crate) mod snapshot;
pub(crate) mod submodule;

use edit::Edit;
use std::path::{Path, PathBuf};
use xtask_core::facts::repo::Repo;

/// What is left for a person to do once the files are written.
fn rest_of_the_act(repo: &Repo, edits: &[Edit]) -> String {
    let files: Vec<String> = edits
        .iter()
        .filter(|edit| edit.changes())
        .map(|edit| xtask_core::exec::quoted(&shown(repo, edit.path())))
        .collect();
    format!(
        "to be done by you:\n  1. cargo xtask verify    (twice the same ISO from the new pin; `verify canary` first)\n  \
         2. git add {0} && git commit    (these files together, with the evidence in the message)",
        files.join(" ")
    )
}

/// Held while pins are written.
fn lock(repo: &Repo) -> PathBuf {
    repo.state().join("bump.lock")
}

/// A path as git shows it from the checkout's root.
fn shown(repo: &Repo, path: &Path) -> String {
    path.strip_prefix(&repo.root).unwrap_or(path).display().to_string()
}
