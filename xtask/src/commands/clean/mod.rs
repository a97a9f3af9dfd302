//! `cargo xtask clean`: removes everything that killed runs of this checkout left.

mod images;
mod running;

use crate::build::{CACHE_VOLUME, PACKAGES_VOLUME, sweep};
use crate::builder_image::kept;
use crate::engine::private::{self, EngineFolders};
use crate::engine::{Client, EngineKind};
use anyhow::Result;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::which;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::json;
use xtask_core::removal;
use xtask_core::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cargo xtask clean
  cargo xtask clean --running    the last step of a CI job
  cargo xtask clean --all        give the disk back";

/// Remove what killed runs left: containers, loop devices, work folders, a private engine
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CleanArgs {
    /// First end the other xtasks of this checkout, as Ctrl-C would: for the last step of a CI job
    #[arg(long)]
    running: bool,
    /// Also remove builder images that are neither today's docker/ folder's nor the pinned one, and their
    /// normal forms in target/
    #[arg(long)]
    images: bool,
    /// Also remove the volume of the package cache
    #[arg(long)]
    volumes: bool,
    /// Also remove the private engine's images and cache, and the logs
    #[arg(long)]
    all: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    json: bool,
}

/// `cargo xtask clean`
pub(crate) fn command(repo: &Repo, args: &CleanArgs) -> Result<()> {
    let ui = Ui::new(false);
    let places = EngineFolders::of(repo);
    let mut removed = if args.running { running::end(repo, &ui)? } else { Vec::new() };
    if args.volumes || args.all {
        refuse(&in_use(repo, &places))?;
    }
    let engines = [Client::new(EngineKind::Docker, None), Client::new(EngineKind::Podman, None)];
    for client in engines {
        let there = which(client.program()).is_some() && !client.is_podman_in_disguise();
        if !there || client.version().is_err() {
            continue;
        }
        removed.extend(sweep::sweep(&repo.output(), Some(&client), repo, &ui)?);
        if args.images {
            removed.extend(images::remove_old(&client, repo, &ui)?);
        }
        for volume in [CACHE_VOLUME, PACKAGES_VOLUME] {
            if (args.volumes || args.all) && client.cmd().args(["volume", "rm", volume]).succeeds()
            {
                ui.notice(&format!("removed volume {volume} ({})", client.kind));
                removed.push(format!("volume {volume}"));
            }
        }
    }
    removed.extend(sweep::sweep(&repo.output(), None, repo, &ui)?);
    if args.images && !args.all {
        let _alone = kept::alone(repo)?;
        removed.extend(images::remove_old_normal_forms(repo, &ui)?);
    }
    if private::clean(&places)? {
        ui.notice("stopped the private engine, left by a killed run");
        removed.push("private engine".to_owned());
    }
    if args.volumes || args.all {
        let caches = ["apt-cache", "vm/apt-cache"].map(|cache| repo.state().join(cache));
        for dir in [places.dir.join("data/volumes")].into_iter().chain(caches) {
            removed.extend(remove(&dir, &ui)?);
        }
    }
    if args.all {
        // it lies outside the state folder if dockerd refuses the path of the checkout
        for dir in [&places.dir, &repo.state()] {
            removed.extend(remove(dir, &ui)?);
        }
    }
    if args.json {
        json::print(&serde_json::json!({ "format": "silvermetal-clean/1", "removed": removed }));
    } else if removed.is_empty() {
        ui.print("nothing to clean");
    }
    Ok(())
}

/// Commands of this checkout that use what would be removed.
fn in_use(repo: &Repo, places: &EngineFolders) -> Vec<Problem> {
    let fix = "wait until it ends, or end it: cargo xtask clean --running";
    let builds = sweep::running(repo).into_iter();
    let mut found: Vec<Problem> =
        builds.map(|id| Problem::new(format!("build {} is running", id.shown()), fix)).collect();
    if found.is_empty() && private::is_used(places) {
        found.push(Problem::new("a command uses the private engine", fix));
    }
    found
}

/// Removes a folder, and returns its path; `None` if there is none.
fn remove(dir: &Path, ui: &Ui) -> Result<Option<String>> {
    if !dir.exists() {
        return Ok(None);
    }
    removal::remove(dir).or_exit(Code::Failed)?;
    ui.notice(&format!("removed {}", dir.shown()));
    Ok(Some(dir.shown().to_string()))
}
