//! Engine `host`: no container, this Debian's own tools in namespaces of their own.
//!
//! The entry sees what it would see in the builder: the same paths, host name and environment.

use super::container::HOSTNAME;
use crate::exec::Cmd;
use std::path::PathBuf;

/// Runs as PID 1 of the namespaces; its mounts and processes end with it. A tmpfs with the binds
/// goes over /home, which hides the homes of this host's users as well.
/// `$1` mount point, `$2` recipe, `$3` conf, `$4` out, `$5` package cache, `$6` keyring or nothing,
/// then the command.
const ENTER: &str = r#"set -euo pipefail
staging=$1 recipe=$2 conf=$3 out=$4 cache=$5 keyring=$6; shift 6
umask 022
echo "$HOST_NAME" >/proc/sys/kernel/hostname; unset HOST_NAME
mount -t tmpfs -o mode=0755,size=16m silvermetal "$staging"
mkdir -p "$staging"/user/{recipe,conf,out,apt-cache}
bind() { mount --bind "$1" "$2"; mount -o "remount,bind,$3" "$2"; }
bind "$recipe" "$staging/user/recipe" ro
bind "$conf" "$staging/user/conf" ro
bind "$out" "$staging/user/out" rw
bind "$cache" "$staging/user/apt-cache" rw
if [ -n "$keyring" ]; then
    : >"$staging/user/mirror-keyring.gpg"
    bind "$keyring" "$staging/user/mirror-keyring.gpg" ro
fi
mount --move "$staging" /home
cd /home/user
exec "$@""#;

/// Where the keyring of `--mirror-keyring` stands inside.
pub(crate) const GUEST_KEYRING: &str = "/home/user/mirror-keyring.gpg";
/// Where downloaded packages are kept between builds, inside.
pub(crate) const GUEST_CACHE: &str = "/home/user/apt-cache";

/// One run of an entry without a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRun {
    /// An empty folder: only a mount point.
    pub(crate) staging: PathBuf,
    pub(crate) recipe: PathBuf,
    pub(crate) conf: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) cache: PathBuf,
    pub(crate) keyring: Option<PathBuf>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) command: Vec<String>,
}

impl HostRun {
    pub(crate) fn run(&self) -> Cmd {
        let mut cmd = Cmd::new("setpriv")
            // all of it dies with xtask, however that ends
            .args(["--pdeathsig", "KILL", "unshare", "--kill-child", "--fork", "--pid", "--mount-proc"])
            .args(["--mount", "--propagation", "private", "--uts", "--ipc"])
            .args(["bash", "-c", ENTER, "enter-host"])
            .args([&self.staging, &self.recipe, &self.conf, &self.out, &self.cache])
            .arg(self.keyring.clone().unwrap_or_default())
            .args(&self.command)
            .bare_env()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/home/user")
            .env("HOST_NAME", HOSTNAME);
        for (key, value) in &self.env {
            cmd = cmd.env(key, value);
        }
        cmd
    }
}
