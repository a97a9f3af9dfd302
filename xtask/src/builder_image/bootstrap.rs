//! The base image where no registry can be reached: bootstrapped from the Debian mirror.

use std::path::Path;
use xtask_core::exec::Cmd;
use xtask_core::facts::mirror::{Mirror, SUITE};
use xtask_core::pins::SnapshotStamp;

/// What Debian's own slim images leave out, and no fsync for each file.
const SLIM: [&str; 6] = [
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "force-unsafe-io",
];

/// Name of the imported base: not the registry's, so that nobody takes one for the other.
pub(super) fn name(stamp: &str) -> String {
    format!("silvermetal-base:{SUITE}-{stamp}")
}

/// mmdebstrap's minimal trixie as a tar; the same bytes from the same archive state.
pub(super) fn command(mirror: &Mirror, stamp: &SnapshotStamp, tar: &Path) -> Cmd {
    let options = if mirror.pinned() { "[check-valid-until=no] " } else { "" };
    let mut cmd = Cmd::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase", "--architectures=amd64", "--format=tar"])
        .args(SLIM.map(|rule| format!("--dpkgopt={rule}")))
        // it names the mirror
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
