//! Engine `host`: builds without a container, with the tools of this Debian in private namespaces.
//!
//! The recipe's entry finds the same paths, host name and environment as in the builder.

use super::variations::BuildConditions;
use std::path::PathBuf;
use xtask_core::exec::Cmd;

/// Path of the script that sets up the namespaces, relative to the checkout.
const ENTER: &str = "xtask/src/engine/enter-host.sh";

/// Path of the keyring of `--mirror-keyring`, inside the namespaces.
pub(crate) fn keyring(home: &str) -> String {
    format!("{home}/mirror-keyring.gpg")
}

/// One run of an entry without a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRun {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// An empty folder: only a mount point.
    pub(crate) staging: PathBuf,
    pub(crate) recipe: PathBuf,
    pub(crate) conf: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) cache: PathBuf,
    pub(crate) keyring: Option<PathBuf>,
    pub(crate) conditions: BuildConditions,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) command: Vec<String>,
}

impl HostRun {
    pub(crate) fn run(&self) -> Cmd {
        let mut cmd = Cmd::new("setpriv")
            // all processes end with xtask, even if it is killed
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--kill-child",
                "--fork",
                "--pid",
                "--mount-proc",
            ])
            .args(["--mount", "--propagation", "private", "--uts", "--ipc"])
            .arg("bash")
            .arg(self.root.join(ENTER))
            .args([&self.staging, &self.recipe, &self.conf, &self.out, &self.cache])
            .arg(self.keyring.clone().unwrap_or_default())
            .args(&self.command)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.conditions.home())
            .env("HOST_NAME", self.conditions.host_name());
        for (key, value) in &self.env {
            cmd = cmd.env(key, value);
        }
        cmd
    }
}
