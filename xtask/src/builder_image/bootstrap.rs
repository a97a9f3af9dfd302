//! Bootstraps the base image from the Debian mirror, if no registry can be reached.

use std::path::Path;
use xtask_core::exec::Cmd;
use xtask_core::facts::mirror::{Mirror, SUITE};
use xtask_core::hash;
use xtask_core::pins::SnapshotStamp;

/// dpkg's options: leave out the files that Debian's slim images leave out, and do not fsync each file.
const SLIM: [&str; 6] = [
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "force-unsafe-io",
];

/// Name of the imported base. It differs from the registry's name, so that nobody confuses the two. Only
/// the pinned snapshot gives it the snapshot's stamp.
pub(super) fn name(mirror: &Mirror, stamp: &str) -> String {
    let state = if mirror.pinned() { stamp } else { "unpinned" };
    format!("silvermetal-base:{SUITE}-{state}")
}

/// Label of the imported base, and its value: the hash of the command that made it. A base of the same command
/// need not be made again.
pub(super) fn label(command: &Cmd) -> (&'static str, String) {
    ("uk.silverlabs.silvermetal.bootstrap", hash::text(&command.to_string()).to_string())
}

/// Makes a minimal trixie as a tar. The same state of the archive gives the same bytes.
pub(super) fn command(mirror: &Mirror, stamp: &SnapshotStamp, tar: &Path) -> Cmd {
    let options = if mirror.pinned() { "[check-valid-until=no] " } else { "" };
    let mut cmd = Cmd::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase", "--architectures=amd64", "--format=tar"])
        .args(SLIM.map(|rule| format!("--dpkgopt={rule}")))
        // these files name the mirror
        .arg("--customize-hook=rm -f \"$1/etc/apt/sources.list\" \"$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap\"")
        .args(["--aptopt=Acquire::Retries \"5\"", "--aptopt=Acquire::Languages \"none\""]);
    if let Some(keyring) = &mirror.keyring {
        cmd = cmd.arg("--keyring").arg(keyring);
    }
    cmd = cmd.arg(SUITE).arg(tar).arg(format!("deb {options}{} {SUITE} main", mirror.debian));
    if let Some(security) = &mirror.security {
        cmd = cmd.arg(format!("deb {options}{security} {SUITE}-security main"));
    }
    cmd.env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("SOURCE_DATE_EPOCH", stamp.unix_time().to_string())
}
