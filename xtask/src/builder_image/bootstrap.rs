//! Bootstraps the base image from the Debian mirror.
//!
//! This is the rule. Debian's own base image on a registry has other files, and whoever makes it would be trusted; it
//! takes the place of ours only where mmdebstrap cannot be installed, and then the builder image is another one.

use std::path::Path;
use xtask_core::exec::{Cmd, which};
use xtask_core::facts::archive::{Mirror, SUITE};
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

/// The base in the image's label: which archive it is from. Its name on an engine differs from engine to engine. Only
/// the pinned snapshot gives it the snapshot's stamp.
pub(super) fn label(mirror: &Mirror, stamp: &str) -> String {
    let state = if mirror.pinned() { stamp } else { "unpinned" };
    format!("silvermetal-base:{SUITE}-{state}")
}

/// Returns true if this machine has mmdebstrap, or apt to install it.
pub(super) fn possible() -> bool {
    which("mmdebstrap").is_some() || which("apt-get").is_some()
}

/// Makes a minimal trixie as a tar. The same state of the archive gives the same bytes. `hooks` are more options.
pub(super) fn command(mirror: &Mirror, stamp: &SnapshotStamp, hooks: &[String], tar: &Path) -> Cmd {
    let options = if mirror.pinned() { "[check-valid-until=no] " } else { "" };
    let mut cmd = Cmd::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase", "--architectures=amd64", "--format=tar"])
        .args(SLIM.map(|rule| format!("--dpkgopt={rule}")))
        // these files name the mirror
        .arg("--customize-hook=rm -f \"$1/etc/apt/sources.list\" \"$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap\"")
        .args(["--aptopt=Acquire::Retries \"5\"", "--aptopt=Acquire::Languages \"none\""]);
    cmd = cmd.args(hooks);
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
