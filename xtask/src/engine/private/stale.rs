//! Kills the processes that a private engine left: dockerd, containerd, shims and containers.

use super::folders::EngineFolders;
use super::network;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};
use xtask_core::removal;
use xtask_core::signal::{self, Signal};

/// The daemon in our pid file, if it is alive and uses our configuration.
pub(super) fn daemon_pid(places: &EngineFolders) -> Option<u32> {
    let pid = fs::read_to_string(places.pid_file()).ok()?.trim().parse().ok()?;
    let config = places.dir.join("daemon.json").to_string_lossy().into_owned();
    (alive(pid) && command_line(pid).contains(&config)).then_some(pid)
}

/// Returns true if the process runs and is not a zombie.
pub(super) fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
}

fn command_line(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw).replace('\0', " ")
}

/// Kills every process of this engine, and removes its bridge and its run folder.
pub(super) fn sweep(places: &EngineFolders) {
    let run = places.run.to_string_lossy().into_owned();
    let config = places.dir.join("daemon.json").to_string_lossy().into_owned();
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let processes = processes();
        // dockerd's arguments contain our configuration file; those of containerd and its shims contain
        // sockets in the run folder
        let ours = |pid: &u32| {
            let line = command_line(*pid);
            let daemon = line.starts_with("dockerd ") || line.contains("/dockerd ");
            let containerd = line.starts_with("containerd") || line.contains("/containerd");
            (daemon && line.contains(&config)) || (containerd && line.contains(&run))
        };
        let roots: Vec<u32> = processes.keys().copied().filter(ours).collect();
        let doomed: Vec<u32> = processes
            .keys()
            .copied()
            .filter(|pid| descends(*pid, &roots, &processes) && alive(*pid))
            .collect();
        if doomed.is_empty() || Instant::now() > patience {
            break;
        }
        for pid in doomed {
            signal::send(Signal::KILL, pid);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    network::tear_down(&places.id);
    drop(removal::remove(&places.run));
}

/// Parents of all processes, by pid.
fn processes() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect()
}

fn descends(mut pid: u32, roots: &[u32], parents: &BTreeMap<u32, u32>) -> bool {
    // limited, because a pid that is reused meanwhile could make a circle
    for _ in 0..64 {
        if roots.contains(&pid) {
            return true;
        }
        match parents.get(&pid) {
            Some(parent) if *parent > 1 => pid = *parent,
            _ => return false,
        }
    }
    false
}
