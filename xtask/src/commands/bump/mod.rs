//! The commands that move a pin. Each edits every file that carries the pin, all of them or none,
//! and prints the evidence that the review needs. None of them commits.

mod archive;
mod edit;
mod evidence;
mod gitlink;
pub(crate) mod image;
mod levers;
mod rehearsal;
mod reviewed;
pub(crate) mod snapshot;
pub(crate) mod submodule;
mod upstream;

use edit::FileEdit;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::repo::Repo;

/// The steps that are left to a person once the files are written.
fn next_steps(repo: &Repo, edits: &[FileEdit]) -> String {
    let files: Vec<String> = edits
        .iter()
        .filter(|edit| edit.changes())
        .map(|edit| quoted(shown(repo, edit.path())))
        .collect();
    format!(
        "next steps:\n  1. cargo xtask verify    (the new pin must give the same ISO twice; try `verify canary` first)\n  \
         2. git add {0} && git commit    (all of them in one commit, with the evidence in the message)",
        files.join(" ")
    )
}

/// Lock file that is held while pins are written.
fn lock(repo: &Repo) -> PathBuf {
    repo.state().join("bump.lock")
}

/// A path as git shows it from the checkout's root.
fn shown(repo: &Repo, path: &Path) -> String {
    path.strip_prefix(&repo.root).unwrap_or(path).shown().to_string()
}
