//! A throwaway dockerd of our own: own socket, data root and config, stopped afterwards.
//!
//! Made for machines where nobody runs Docker, and for locked-down ones: without CAP_SYS_RESOURCE
//! (runtime.rs), with a cgroup v1 hybrid (a private mount namespace holds a cgroup2), without
//! systemd, without netfilter (network.rs).

mod network;
mod runtime;
mod stale;

use super::container::Network;
use super::{Client, EngineKind};
use anyhow::{Context as _, Result};
use network::Bridge;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xtask_core::exec::{Background, Cmd, which};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::hash;
use xtask_core::interrupt;
use xtask_core::signal::{self, Signal};
use xtask_core::ui::Ui;

/// Longest folder whose sockets (`…/containerd/containerd-debug.sock`) still fit into the 108
/// bytes of a sockaddr_un (unix(7)).
const LONGEST_RUN_DIR: usize = 70;

/// Where the engine of this checkout keeps what it keeps.
#[derive(Clone, Debug)]
pub(crate) struct EngineFolders {
    /// Data root, config, log, locks: survives, so that images are built once.
    pub(crate) dir: PathBuf,
    /// Sockets and pid file: gone when the engine is.
    run: PathBuf,
    /// Names the bridge: `sm` + 8 hex digits.
    id: String,
}

impl EngineFolders {
    pub(crate) fn of(repo: &Repo) -> EngineFolders {
        let mut dir = repo.state().join("engine");
        let id = hash::text(&dir.to_string_lossy()).hex()[..8].to_owned();
        if dir.to_string_lossy().contains(',') {
            // dockerd takes a comma in its data root for a list of them, and does not start
            dir = PathBuf::from(format!("/var/lib/silvermetal-{id}"));
        }
        let inside = dir.join("run");
        // a deep checkout would make socket paths that no kernel takes
        let run = if inside.as_os_str().len() <= LONGEST_RUN_DIR {
            inside
        } else {
            PathBuf::from(format!("/run/silvermetal-{id}"))
        };
        EngineFolders { dir, run, id }
    }

    pub(crate) fn client(&self) -> Client {
        let socket = format!("unix://{}", self.run.join("docker.sock").display());
        Client::new(EngineKind::Private, Some(socket))
    }

    fn pid_file(&self) -> PathBuf {
        self.run.join("dockerd.pid")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("dockerd.log")
    }

    /// Whether the (stopped) engine's store has an image of this name or id. Unreadable means no.
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

    /// What starts the daemon: its own mount namespace, a cgroup2 where the host has none.
    pub(crate) fn daemon(&self) -> Cmd {
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let cgroup = if unified {
            ""
        } else {
            "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && "
        };
        // slave: what the host mounts later is seen here, what happens here stays here
        Cmd::new("unshare")
            .args(["--mount", "--propagation", "slave", "--", "sh", "-c"])
            .arg(format!("{cgroup}exec dockerd --config-file \"$1\""))
            .arg("sh")
            .arg(self.dir.join("daemon.json"))
            // it outlives commands: the caller's secrets must not stand in its environment
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    }
}

/// The Debian packages that the private engine is made of.
pub(crate) fn packages(codename: &str) -> Vec<String> {
    let mut packages = vec!["docker.io", "iptables", "iproute2"];
    if codename != "bookworm" && which("docker").is_none() {
        packages.push("docker-cli"); // split from docker.io in trixie
    }
    packages.into_iter().map(str::to_owned).collect()
}

/// A running private engine, shared with other xtasks of this checkout; the last one stops it.
pub(crate) struct Private {
    places: EngineFolders,
    pub(crate) network: Network,
    users: File,
    /// The daemon, where this xtask started it.
    daemon: Option<Background>,
}

impl Private {
    /// Joins the running engine, or sweeps what a killed run left and starts one.
    pub(crate) fn start(places: &EngineFolders, ui: &Ui) -> Result<Private> {
        fs::create_dir_all(&places.dir)
            .with_context(|| format!("cannot make {}", places.dir.display()))?;
        let starting = lock_file(&places.dir.join("start.lock"))?;
        starting.lock().context("cannot lock the private engine")?;
        let users = lock_file(&places.dir.join("users.lock"))?;
        let alone = users.try_lock().is_ok();
        let client = places.client();
        if alone {
            stale::sweep(places);
            users.unlock().context("cannot unlock the private engine")?;
        }
        users.lock_shared().context("cannot lock the private engine")?;
        let (network, daemon) = if alone || client.version().is_err() {
            let (network, daemon) = launch(places, &client, ui)?;
            (network, Some(daemon))
        } else {
            (network_of(places), None)
        };
        Ok(Private { places: places.clone(), network, users, daemon })
    }
}

fn lock_file(path: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
    file.with_context(|| format!("cannot open {}", path.display()))
}

/// Starts dockerd and waits until it answers; where that fails, nothing of it stays.
fn launch(places: &EngineFolders, client: &Client, ui: &Ui) -> Result<(Network, Background)> {
    let launched = set_up_and_start(places, client, ui);
    if launched.is_err() {
        stale::sweep(places);
    }
    launched
}

fn set_up_and_start(
    places: &EngineFolders,
    client: &Client,
    ui: &Ui,
) -> Result<(Network, Background)> {
    fs::create_dir_all(&places.run)
        .with_context(|| format!("cannot make {}", places.run.display()))?;
    let bridge = Bridge::set_up(&places.id);
    let network = match &bridge {
        Ok(_) => Network::Bridge,
        Err(error) => {
            ui.notice(&format!(
                "no bridge can be had ({error:#}): containers share this host's network"
            ));
            Network::Host
        }
    };
    let config = config(places, bridge.as_ref().ok())?;
    fs::write(places.dir.join("daemon.json"), config).context("cannot write daemon.json")?;
    let cmd = places.daemon();
    ui.command(&cmd);
    let daemon = cmd.start(&places.log())?;
    match wait_until_ready(client, &daemon) {
        Ok(()) => Ok((network, daemon)),
        Err(error) => {
            drop(daemon);
            interrupt::check()?;
            let log = places.log();
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(5)..].join("\n  ");
            let error = error.context(format!(
                "the private engine did not start; its log ends:\n  {tail}\n  log: {}",
                log.display()
            ));
            Err(Code::NotReady.wrap(error))
        }
    }
}

fn wait_until_ready(client: &Client, daemon: &Background) -> Result<()> {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        interrupt::check()?;
        if let Some(exit) = daemon.ended()? {
            anyhow::bail!("dockerd ended ({exit})");
        }
        if client.cmd().arg("version").within_seconds(5).succeeds() {
            return Ok(());
        }
        if Instant::now() > patience {
            anyhow::bail!("dockerd did not answer within a minute");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// daemon.json: everything of ours in our folders, nothing of the host's changed behind our back.
fn config(places: &EngineFolders, bridge: Option<&Bridge>) -> Result<String> {
    let mut config = serde_json::json!({
        "data-root": places.dir.join("data"),
        "exec-root": places.run,
        "pidfile": places.pid_file(),
        "hosts": [format!("unix://{}", places.run.join("docker.sock").display())],
        "bridge": bridge.map_or("none", |b| &b.name),
        // our own three rules instead (network.rs): dockerd's would outlive it
        "iptables": false,
        "ip-forward": false,
        "ip-masq": false,
        "live-restore": false,
        "shutdown-timeout": 5,
        "log-level": "warn",
    });
    if let Some(bridge) = bridge {
        config["mtu"] = bridge.mtu.into();
    }
    if let Some(wrapper) = runtime::wrapper(&places.dir)? {
        config["default-runtime"] = "silvermetal".into();
        config["runtimes"] = serde_json::json!({ "silvermetal": { "path": wrapper } });
    }
    Ok(format!("{config:#}\n"))
}

/// How the running engine was set up: its config says.
fn network_of(places: &EngineFolders) -> Network {
    let config = fs::read_to_string(places.dir.join("daemon.json")).unwrap_or_default();
    if config.contains("\"bridge\": \"none\"") { Network::Host } else { Network::Bridge }
}

impl Drop for Private {
    fn drop(&mut self) {
        let daemon = self.daemon.take();
        let last = lock_file(&self.places.dir.join("start.lock")).is_ok_and(|starting| {
            let last = starting.lock().is_ok()
                && self.users.unlock().is_ok()
                && self.users.try_lock().is_ok();
            if last {
                stop(&self.places);
            }
            last
        });
        if let (Some(daemon), false) = (daemon, last) {
            daemon.leave(); // somebody else uses it; or the next run sweeps it
        }
    }
}

/// Ends the daemon kindly, then whatever is left of it.
fn stop(places: &EngineFolders) {
    if let Some(pid) = stale::daemon_pid(places) {
        signal::send(Signal::TERM, pid);
        let patience = Instant::now() + Duration::from_secs(15);
        while stale::alive(pid) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    stale::sweep(places);
}

/// Stops the engine of this checkout unless another xtask uses it; says whether it was running.
pub(crate) fn clean(places: &EngineFolders) -> Result<bool> {
    if !places.dir.exists() {
        return Ok(false);
    }
    let starting = lock_file(&places.dir.join("start.lock"))?;
    starting.lock().context("cannot lock the private engine")?;
    let users = lock_file(&places.dir.join("users.lock"))?;
    if users.try_lock().is_err() {
        return Ok(false);
    }
    let was = stale::daemon_pid(places).is_some();
    stop(places);
    Ok(was)
}
