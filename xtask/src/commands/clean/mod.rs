//! `cargo xtask clean`, and the sweep before every build.

mod images;
mod running;

use crate::build::{CACHE_VOLUME, PACKAGES_VOLUME, checkout_id, workdir};
use crate::cli::CleanArgs;
use crate::engine::private::{self, Places};
use crate::engine::{Client, EngineKind, paths};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::exec::which;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::ui::Ui;

/// Where live work folders are noted.
pub(crate) fn notes(repo: &Repo) -> PathBuf {
    repo.state().join("runs")
}

/// Removes what killed runs of this checkout left, here and wherever their results were to go, and
/// what CI jobs left that are gone: containers first, then work folders. Returns how many.
pub(crate) fn sweep(
    outputs: &Path,
    client: Option<&Client>,
    repo: &Repo,
    ui: &Ui,
) -> Result<usize> {
    let _beginners_wait = workdir::alone(&notes(repo)).context("cannot lock the work folders")?;
    let mut folders = workdir::noted(&notes(repo));
    folders.push(outputs.to_owned());
    let live: Vec<String> = folders.iter().flat_map(|dir| workdir::live(dir)).collect();
    let mut count = 0;
    if let Some(client) = client {
        let mut dead = client.containers_of_dead_jobs(paths::own_container().as_deref())?;
        let of_ours = client.containers_of(&checkout_id(&repo.root))?;
        dead.extend(of_ours.into_iter().filter(|name| {
            let id = name.strip_prefix("silvermetal-").unwrap_or(name);
            !live.iter().any(|l| l == id)
        }));
        dead.sort();
        dead.dedup();
        for name in dead {
            client.remove(&name)?;
            ui.notice(&format!("removed container {name}, left by a killed run"));
            count += 1;
        }
    }
    for dir in folders {
        let swept = workdir::sweep(&dir);
        for id in &swept.runs {
            ui.notice(&format!("removed the work folder of {id}, left by a killed run"));
        }
        for what in &swept.stuck {
            ui.notice(what);
        }
        count += swept.runs.len();
    }
    workdir::forget_gone(&notes(repo));
    Ok(count)
}

/// `cargo xtask clean`
pub(crate) fn command(repo: &Repo, args: &CleanArgs) -> Result<()> {
    let ui = Ui::new(false);
    let places = Places::of(repo);
    let mut count = if args.running { running::end(repo, &ui)? } else { 0 };
    let engines = [Client::new(EngineKind::Docker, None), Client::new(EngineKind::Podman, None)];
    for client in engines {
        if which(client.program()).is_none() || client.version().is_err() {
            continue;
        }
        count += sweep(&repo.output(), Some(&client), repo, &ui)?;
        if args.images {
            count += images::remove_old(&client, repo, &ui)?;
        }
        for volume in [CACHE_VOLUME, PACKAGES_VOLUME] {
            if (args.volumes || args.all) && client.cmd().args(["volume", "rm", volume]).succeeds()
            {
                ui.notice(&format!("removed volume {volume} ({})", client.kind));
                count += 1;
            }
        }
    }
    count += sweep(&repo.output(), None, repo, &ui)?;
    if private::clean(&places)? {
        ui.notice("stopped the private engine, left by a killed run");
        count += 1;
    }
    if args.volumes || args.all {
        for dir in [places.dir.join("data/volumes"), repo.state().join("apt-cache")] {
            count += usize::from(remove(&dir, &ui)?);
        }
    }
    if args.all {
        // beside the state where the checkout's path is none that dockerd takes
        for dir in [&places.dir, &repo.state()] {
            count += usize::from(remove(dir, &ui)?);
        }
    }
    if count == 0 {
        ui.print("nothing to clean");
    }
    Ok(())
}

fn remove(dir: &Path, ui: &Ui) -> Result<bool> {
    if !dir.exists() {
        return Ok(false);
    }
    fs::remove_dir_all(dir)
        .map_err(|error| Code::Failed.error(format!("cannot remove {}: {error}", dir.display())))?;
    ui.notice(&format!("removed {}", dir.display()));
    Ok(true)
}
