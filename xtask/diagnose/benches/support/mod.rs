//! Measures a program: time, memory, temporary files, output.

use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use xtask_core::exec::{Cmd, Exit};

/// How often the memory of the process is looked at, and of all that it started.
const MEMORY: Duration = Duration::from_millis(5);
const CHILDREN: Duration = Duration::from_millis(250);
/// How often, at most, its folder of temporary files; one that takes long to walk less often, so that
/// looking takes little from what is measured.
const FOLDER: Duration = Duration::from_secs(2);
const SHARE: u32 = 50;

/// Measurements of one run.
#[allow(dead_code, reason = "each benchmark tells its part of it")]
pub struct Taken {
    pub seconds: f64,
    /// Peak of resident memory of all its processes together, bytes.
    pub memory: u64,
    /// Most that lay in its folder of temporary files at once, bytes on disk.
    pub temporary: u64,
    /// Its output.
    pub output: String,
}

/// Runs a command to its end, with `folder` for its temporary files. Exit codes 0 and 1 are answers.
pub fn measured(cmd: Cmd, folder: &Path) -> Result<Taken> {
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary)?;
    let log = folder.join("log");
    let since = Instant::now();
    let running = cmd.clone().env("TMPDIR", &temporary).start(&log)?;
    let (mut memory, mut most) = (0, 0);
    let [mut next_children, mut next_folder] = [Instant::now(); 2];
    let exit = loop {
        if let Some(exit) = running.ended()? {
            break exit;
        }
        memory = memory.max(kilobytes(running.pid(), "VmHWM"));
        let now = Instant::now();
        if now > next_children {
            memory = memory.max(resident(running.pid()));
            next_children = now + CHILDREN;
        }
        if now > next_folder {
            most = most.max(size(&temporary));
            next_folder = now + FOLDER.max(now.elapsed() * SHARE);
        }
        sleep(MEMORY);
    };
    let seconds = since.elapsed().as_secs_f64();
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    ensure!(matches!(exit, Exit::Code(0 | 1)), "`{cmd}` failed ({exit}): {output}");
    fs::remove_dir_all(&temporary)?;
    Ok(Taken { seconds, memory: memory * 1024, temporary: most, output })
}

/// A value of /proc/PID/status, in kilobytes.
fn kilobytes(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Resident memory of a group of processes now, kB.
fn resident(group: u32) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // the group is the third field behind the name, which may hold blanks
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)?.parse().ok());
        if of == Some(group) {
            sum += kilobytes(pid, "VmRSS");
        }
    }
    sum
}

/// Bytes on disk below a folder, which may change meanwhile.
fn size(folder: &Path) -> u64 {
    let mut sum = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            sum += metadata.blocks() * 512;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    sum
}

/// An empty folder under target/.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
