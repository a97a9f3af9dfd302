//! A wrapper of runc that requests only capabilities that this machine has.
//!
//! `docker run --privileged` requests every capability. If root lacks one (e.g. CAP_SYS_RESOURCE, on a
//! locked-down VM), runc fails with `unable to apply caps: operation not permitted`.

use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{quoted, which};

/// Capability names by number (include/uapi/linux/capability.h, Linux 5.9 and later).
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Writes the wrapper and returns its path; `None` on a machine that has all capabilities.
pub(super) fn wrapper(dir: &Path) -> Result<Option<PathBuf>> {
    let status =
        fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let lacking = lacking(&status);
    if lacking.is_empty() {
        return Ok(None);
    }
    let runc = which("runc").context("runc is not installed: apt-get install runc")?;
    let path = dir.join("oci-runtime");
    fs::write(&path, script(&lacking, &runc))
        .with_context(|| format!("cannot write {}", path.shown()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(Some(path))
}

/// Capabilities that are missing from this process's bounding set.
fn lacking(status: &str) -> Vec<&'static str> {
    let bits = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(u64::MAX);
    NAMES.iter().enumerate().filter(|(n, _)| bits & (1 << n) == 0).map(|(_, name)| *name).collect()
}

/// The wrapper removes the names from the bundle's config.json. A quoted name can only be an entry of a
/// capability list, because the quotes inside any other string are escaped.
fn script(lacking: &[&str], runc: &Path) -> String {
    let edits: Vec<String> = lacking
        .iter()
        .map(|name| {
            format!("s/\"CAP_{name}\",//g; s/,\"CAP_{name}\"//g; s/\\[\"CAP_{name}\"\\]/[]/g")
        })
        .collect();
    format!(
        "#!/bin/sh\n\
         # Written by xtask: this machine lacks {}.\n\
         set -eu\n\
         bundle= previous=\n\
         for word in \"$@\"; do\n\
         \x20 case $previous in --bundle | -b) bundle=$word ;; esac\n\
         \x20 case $word in --bundle=*) bundle=${{word#--bundle=}} ;; esac\n\
         \x20 previous=$word\n\
         done\n\
         [ -z \"$bundle\" ] || sed -i '{}' \"$bundle/config.json\"\n\
         exec {} \"$@\"\n",
        lacking.join(", "),
        edits.join("; "),
        quoted(runc),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_read_from_the_bounding_set() {
        assert_eq!(lacking("CapBnd:\t000001fffeffffff\n"), ["SYS_RESOURCE"]);
        assert!(lacking("CapBnd:\t000001ffffffffff\n").is_empty());
    }
}
