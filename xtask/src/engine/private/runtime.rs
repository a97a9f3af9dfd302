//! An OCI runtime that asks for no capability this machine lacks.
//!
//! `docker run --privileged` asks runc for every capability; where root lacks one (a locked-down
//! VM without CAP_SYS_RESOURCE), runc says `unable to apply caps: operation not permitted`.

use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use xtask_core::exec::which;

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

/// Writes the wrapper where one is needed and returns its path; `None` on an ordinary machine.
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
        .with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(Some(path))
}

/// The capabilities that this process's bounding set lacks.
fn lacking(status: &str) -> Vec<&'static str> {
    let bits = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(u64::MAX);
    NAMES.iter().enumerate().filter(|(n, _)| bits & (1 << n) == 0).map(|(_, name)| *name).collect()
}

/// Takes the names out of the bundle's config.json, where they stand only in capability lists: in
/// any other string the quotes around them would be escaped.
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
         exec '{}' \"$@\"\n",
        lacking.join(", "),
        edits.join("; "),
        runc.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_read_from_the_bounding_set() {
        assert_eq!(lacking("CapBnd:\t000001fffeffffff\n"), ["SYS_RESOURCE"]);
        assert!(lacking("CapBnd:\t000001ffffffffff\n").is_empty());
    }
}
