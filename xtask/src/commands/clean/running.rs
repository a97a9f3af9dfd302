//! `clean --running`: ends every other xtask of this checkout.
//!
//! A CI runner that cancels a step leaves the step's processes running in the job's container. An
//! xtask that gets a TERM stops its containers and removes its work folders.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xtask_core::facts::repo::Repo;
use xtask_core::signal::{self, Signal};
use xtask_core::ui::Ui;

/// Longest wait: more than stopping a container takes (`Client::stop`), and less than the five
/// minutes that a runner gives to the last steps of a cancelled job.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a TERM to them, and waits until they end. Returns their ids and command lines.
pub(super) fn end(repo: &Repo, ui: &Ui) -> Result<Vec<String>> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let family = ancestors(std::process::id());
    let others: Vec<u32> = pids()
        .into_iter()
        .filter(|pid| !family.contains(pid))
        .filter(|pid| program_of(*pid).is_some_and(|path| path == program))
        .filter(|pid| is_of_checkout(*pid, &repo.root))
        .collect();
    let mut ended = Vec::new();
    for pid in &others {
        let argv = argv(*pid);
        ui.notice(&format!("ending process {pid}: {argv}"));
        ended.push(format!("process {pid}: {argv}"));
        signal::send(Signal::TERM, *pid);
    }
    let patience = Instant::now() + PATIENCE;
    let alive = |pid: &&u32| program_of(**pid).is_some_and(|path| path == program);
    while others.iter().any(|pid| alive(&pid)) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(50));
    }
    for pid in others.iter().filter(alive) {
        ui.notice(&format!("process {pid} has not ended within {} s", PATIENCE.as_secs()));
    }
    Ok(ended)
}

/// `pid`, its parent, its parent's parent, and so on.
fn ancestors(pid: u32) -> Vec<u32> {
    let parent = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
    };
    std::iter::successors(Some(pid), parent).take_while(|pid| *pid != 0).collect()
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Path of the program that a process runs. `None` if the process has ended.
fn program_of(pid: u32) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    // cargo may have replaced the file by a newer build
    let replaced = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    Some(replaced.map_or_else(|| path.clone(), PathBuf::from))
}

/// Returns `true` if a process works on this checkout, found as in `Repo::find`: by the variable
/// that cargo sets, else by the current folder.
fn is_of_checkout(pid: u32, root: &Path) -> bool {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let environ = String::from_utf8_lossy(&environ).into_owned();
    match environ.split('\0').find_map(|word| word.strip_prefix("CARGO_MANIFEST_DIR=")) {
        Some(package) => Path::new(package).starts_with(root),
        None => fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(root)),
    }
}

fn argv(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
}
