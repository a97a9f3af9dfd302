//! Folders of a private engine.

use crate::engine::{Client, EngineKind};
use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::Cmd;
use xtask_core::facts::host::called_through_sudo;
use xtask_core::facts::repo::Repo;
use xtask_core::hash;

/// Longest path of a folder whose sockets (`…/containerd/containerd-debug.sock`) fit into the 108 bytes
/// of a sockaddr_un (unix(7)).
const LONGEST_RUN_DIR: usize = 70;

/// Folders of this checkout's private engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineFolders {
    /// Data root, configuration, log and locks. It stays, so that images are built once.
    pub(crate) dir: PathBuf,
    /// Sockets and pid file. It is removed when the engine stops.
    pub(super) run: PathBuf,
    /// 8 hex digits that identify the checkout; the bridge is named `sm` and these digits.
    pub(super) id: String,
    /// File that names the engine of the last `--setup`.
    setup: PathBuf,
}

impl EngineFolders {
    /// Name of the engine's folder in the state folder.
    pub(crate) const NAME: &str = "engine";

    pub(crate) fn of(repo: &Repo) -> EngineFolders {
        let mut dir = repo.state().join(Self::NAME);
        let id = hash::bytes(dir.as_os_str().as_bytes()).hex()[..8].to_owned();
        let plain = |text: &str| !text.contains(|c: char| c == ',' || c.is_control());
        // dockerd reads a data root with a comma as a list, and its configuration is UTF-8
        let readable = dir.to_str().is_some_and(plain);
        // the store belongs to root, and the caller must be able to remove their target folder
        if !readable || called_through_sudo().is_some() {
            dir = PathBuf::from(format!("/var/lib/silvermetal-{id}"));
        }
        let inside = dir.join("run");
        // in a deep checkout, the paths of the sockets would be too long for the kernel
        let run = if inside.as_os_str().len() <= LONGEST_RUN_DIR {
            inside
        } else {
            PathBuf::from(format!("/run/silvermetal-{id}"))
        };
        // several checkouts may share one target folder
        let setup = repo.state().join(format!("engine-of-setup-{}", repo.checkout_id()));
        EngineFolders { dir, run, id, setup }
    }

    /// The engine that the last `--setup` of this checkout prepared.
    pub(crate) fn engine_of_setup(&self) -> Option<EngineKind> {
        let name = fs::read_to_string(&self.setup).ok()?;
        EngineKind::ALL.into_iter().find(|kind| kind.name() == name.trim())
    }

    /// Notes which engine a `--setup` prepares, so that the next command uses the same, even if another one
    /// appears meanwhile.
    pub(crate) fn note_setup(&self, kind: EngineKind) -> Result<()> {
        let write = || {
            fs::create_dir_all(self.setup.parent().unwrap_or(Path::new("/")))?;
            fs::write(&self.setup, format!("{kind}\n"))
        };
        write().with_context(|| format!("cannot write {}", self.setup.shown()))
    }

    pub(crate) fn client(&self) -> Client {
        let socket = format!("unix://{}", self.run.join("docker.sock").to_string_lossy());
        Client::new(EngineKind::Private, Some(socket))
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.run.join("dockerd.pid")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("dockerd.log")
    }

    /// Returns true if the store of the stopped engine has an image with this name or id, and false if it
    /// cannot be read.
    pub(crate) fn has_image(&self, name: &str) -> bool {
        let Ok(drivers) = fs::read_dir(self.dir.join("data/image")) else { return false };
        drivers.flatten().any(|driver| {
            if let Some(id) = name.strip_prefix("sha256:") {
                return driver.path().join("imagedb/content/sha256").join(id).exists();
            }
            let text =
                fs::read_to_string(driver.path().join("repositories.json")).unwrap_or_default();
            text.contains(&format!("\"{name}\""))
        })
    }

    /// Starts the daemon in a mount namespace of its own, with a cgroup2 if the host mounts none.
    pub(crate) fn daemon(&self) -> Cmd {
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let cgroup = if unified {
            ""
        } else {
            "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && "
        };
        // slave: later mounts of the host appear in the namespace, but not the other way round
        Cmd::new("unshare")
            .args(["--mount", "--propagation", "slave", "--", "sh", "-c"])
            .arg(format!("{cgroup}exec dockerd --config-file \"$1\""))
            .arg("sh")
            .arg(self.dir.join("daemon.json"))
            // the daemon may outlive this command, so it must not inherit the caller's secrets
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    }
}
