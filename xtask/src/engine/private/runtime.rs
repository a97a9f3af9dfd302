//! A wrapper of runc that requests only capabilities that this machine has.
//!
//! `docker run --privileged` requests every capability. If root lacks one (e.g. CAP_SYS_RESOURCE, on a
//! locked-down VM), runc fails with `unable to apply caps: operation not permitted`.

use crate::engine::capabilities;
use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{quoted, which};

/// Writes the wrapper and returns its path; `None` on a machine that has all capabilities.
pub(super) fn wrapper(dir: &Path) -> Result<Option<PathBuf>> {
    let status =
        fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let lacking = capabilities::lacking(&status);
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
