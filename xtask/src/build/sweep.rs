//! Removes the leftovers of killed runs: containers, loop devices, work folders. It runs before every build.

use super::workdir;
use crate::engine::Client;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use xtask_core::facts::container::own_container;
use xtask_core::facts::repo::Repo;
use xtask_core::ui::Ui;

/// Folder with a note for each run, which names the folder of its work folder.
pub(crate) fn notes(repo: &Repo) -> PathBuf {
    repo.state().join("runs")
}

/// Ids of the builds of this checkout that run now.
pub(crate) fn running(repo: &Repo) -> Vec<String> {
    let mut folders = workdir::noted(&notes(repo));
    folders.push(repo.output());
    folders.sort();
    folders.dedup();
    folders.iter().flat_map(|dir| workdir::live(dir)).collect()
}

/// Removes the containers and then the work folders that killed runs of this checkout left, and the
/// containers of CI jobs that have ended. It looks in `outputs` and in the folders that runs have noted.
/// Returns the names of the containers and folders that it removed.
pub(crate) fn sweep(
    outputs: &Path,
    client: Option<&Client>,
    repo: &Repo,
    ui: &Ui,
) -> Result<Vec<String>> {
    let _beginners_wait = workdir::alone(&notes(repo)).context("cannot lock the work folders")?;
    let mut folders = workdir::noted(&notes(repo));
    folders.push(outputs.to_owned());
    let live: Vec<String> = folders.iter().flat_map(|dir| workdir::live(dir)).collect();
    let mut removed = Vec::new();
    if let Some(client) = client {
        let mut dead = client.containers_of_dead_jobs(own_container().as_deref())?;
        let of_ours = client.containers_of(&repo.checkout_id())?;
        dead.extend(of_ours.into_iter().filter(|name| {
            let id = name.strip_prefix("silvermetal-").unwrap_or(name);
            !live.iter().any(|l| l == id)
        }));
        dead.sort();
        dead.dedup();
        for name in dead {
            client.remove(&name)?;
            ui.notice(&format!("removed container {name}, left by a killed run"));
            removed.push(format!("container {name}"));
        }
    }
    for dir in folders {
        let swept = workdir::sweep(&dir, &notes(repo));
        for device in &swept.devices {
            ui.notice(&format!("detached {device}, left by a killed run"));
        }
        for id in &swept.runs {
            ui.notice(&format!("removed the work folder of {id}, left by a killed run"));
        }
        for what in &swept.stuck {
            ui.notice(what);
        }
        removed.extend(swept.devices);
        removed.extend(swept.runs.iter().map(|id| format!("work folder of {id}")));
    }
    workdir::forget_gone(&notes(repo));
    Ok(removed)
}
