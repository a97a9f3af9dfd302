//! The machine that xtask runs on.

use crate::exec::{Cmd, which};
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// User and group id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

#[derive(Clone, Debug)]
pub struct Host {
    /// User id of this process.
    pub uid: u32,
    /// Owner of the results: the user who started xtask, also through sudo.
    pub caller: Owner,
    pub cpus: usize,
    /// Model of the first CPU; empty if the kernel does not tell.
    pub cpu: String,
    /// RAM in bytes.
    pub memory: u64,
    /// True on Debian and its derivatives, which have apt-get and dpkg.
    pub has_apt: bool,
    /// `VERSION_CODENAME` of os-release, e.g. `bookworm`.
    pub codename: String,
    pub kernel: String,
    pub name: String,
}

impl Host {
    pub fn gather() -> Result<Host> {
        let me = fs::metadata("/proc/self").context("cannot read /proc/self")?;
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        Ok(Host {
            uid: me.uid(),
            caller: caller(Owner { uid: me.uid(), gid: me.gid() }),
            cpu: cpu_model(&text("/proc/cpuinfo")),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory(&text("/proc/meminfo")),
            has_apt: which("apt-get").is_some() && which("dpkg-query").is_some(),
            codename: os_release(&text("/etc/os-release"), "VERSION_CODENAME"),
            kernel: text("/proc/sys/kernel/osrelease"),
            name: text("/proc/sys/kernel/hostname"),
        })
    }

    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The packages that are not installed; none on a machine without apt.
    pub fn missing(&self, packages: &[String]) -> Vec<String> {
        if packages.is_empty() || !self.has_apt {
            return Vec::new();
        }
        // dpkg-query exits 1 when it does not know one of them, and still lists the others
        let listed = Cmd::new("dpkg-query")
            .args(["-W", "-f", "${Package} ${db:Status-Status}\\n"])
            .args(packages)
            .output();
        not_installed(packages, &listed.map(|probe| probe.stdout).unwrap_or_default())
    }
}

/// Returns true if this process runs as root.
pub fn am_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// `packages` without those that dpkg-query lists as `NAME installed`.
fn not_installed(packages: &[String], listed: &str) -> Vec<String> {
    let installed: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    packages.iter().filter(|name| !installed.contains(name.as_str())).cloned().collect()
}

/// The user who called sudo, or the user of this process.
fn caller(me: Owner) -> Owner {
    called_through_sudo().unwrap_or(me)
}

/// The user who called sudo to run this process as root; `None` if nobody did.
pub fn called_through_sudo() -> Option<Owner> {
    let id = |name: &str| std::env::var(name).ok()?.parse().ok();
    let (uid, gid) = (id("SUDO_UID")?, id("SUDO_GID")?);
    (am_root() && uid != 0).then_some(Owner { uid, gid })
}

/// The first `model name` of /proc/cpuinfo (proc(5)).
fn cpu_model(cpuinfo: &str) -> String {
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("", |(_, name)| name).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn memory(meminfo: &str) -> u64 {
    let kib = meminfo.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    });
    kib.unwrap_or_default() * 1024
}

fn os_release(text: &str, key: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim_matches('"').to_owned())
        .unwrap_or_default()
}

/// A file system's free space and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Free space for an ordinary user, in bytes.
    pub free: u64,
    /// File system type, e.g. `ext4`, `overlay`, `tmpfs`.
    pub kind: String,
    /// Its device, e.g. `/dev/vda1`, or the name of what has none, e.g. `overlay`.
    pub source: String,
}

impl DiskSpace {
    /// The file system that holds `path`. If `path` does not exist, its nearest ancestor counts.
    pub fn holding(path: &Path) -> Result<DiskSpace> {
        let existing = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
        let out = Cmd::new("df")
            .args(["-B1", "--output=avail,fstype,source", "--"])
            .arg(existing)
            .read()?;
        let mut words = out.lines().last().unwrap_or_default().split_whitespace();
        let free = words.next().and_then(|w| w.parse().ok());
        Ok(DiskSpace {
            free: free.with_context(|| format!("unexpected output of df: {out}"))?,
            kind: words.next().unwrap_or_default().to_owned(),
            source: words.collect::<Vec<_>>().join(" "),
        })
    }

    /// True if grub-mkconfig writes boot entries for a system on this file system. Memory, overlays and networks
    /// have no device that it could find. Behind /dev/loop0 to /dev/loop9 it looks for a file, does not find it
    /// in the system, and leaves out the entries in silence (grub-mkconfig_lib, 10_linux).
    pub fn has_device_for_grub(&self) -> bool {
        let loop_number = self.source.strip_prefix("/dev/loop");
        let file_is_wanted =
            loop_number.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
        self.kind == "zfs" || (self.source.starts_with("/dev/") && !file_is_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grub_wants_a_device_and_no_small_loop_device() {
        let disk = |kind: &str, source: &str| DiskSpace {
            free: 0,
            kind: kind.to_owned(),
            source: source.to_owned(),
        };
        for (kind, source) in [
            ("ext4", "/dev/vda"),
            ("xfs", "/dev/mapper/luks-1"),
            ("btrfs", "/dev/sda2"),
            ("ext4", "/dev/loop10"),
            ("zfs", "tank/x"),
        ] {
            assert!(disk(kind, source).has_device_for_grub(), "{kind} {source}");
        }
        for (kind, source) in [
            ("overlay", "overlay"),
            ("tmpfs", "tmpfs"),
            ("nfs4", "server:/x"),
            ("fuse.sshfs", "a@b:/"),
            ("ext4", "/dev/loop3"),
        ] {
            assert!(!disk(kind, source).has_device_for_grub(), "{kind} {source}");
        }
    }

    #[test]
    fn memory_cpu_and_release_are_read() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD  EPYC 9\nmodel name : y\n";
        assert_eq!(cpu_model(cpuinfo), "AMD EPYC 9");
        assert_eq!(cpu_model("Processor: ARMv7"), "");
        assert_eq!(memory("MemFree: 1 kB\nMemTotal:       24684096 kB\n"), 24_684_096 * 1024);
        assert_eq!(
            os_release("ID=debian\nVERSION_CODENAME=bookworm\n", "VERSION_CODENAME"),
            "bookworm"
        );
    }

    fn packages() -> [String; 3] {
        ["dpkg", "removed", "no-such-package-here"].map(str::to_owned)
    }

    #[test]
    fn only_installed_packages_count() {
        let listed = "dpkg installed\nremoved config-files\n";
        assert_eq!(not_installed(&packages(), listed), packages()[1..]);
        assert_eq!(not_installed(&packages(), ""), packages());
    }

    #[test]
    fn without_apt_no_package_is_missing() {
        let host = Host { has_apt: false, ..Host::gather().unwrap() };
        assert_eq!(host.missing(&packages()), [""; 0]);
    }

    #[test]
    #[ignore = "needs dpkg: cargo xtask test --full"]
    fn dpkg_is_asked_for_the_installed_packages() {
        let host = Host::gather().unwrap();
        assert!(host.has_apt, "this host has no apt-get or no dpkg-query");
        assert_eq!(host.missing(&packages()), packages()[1..]);
    }
}
