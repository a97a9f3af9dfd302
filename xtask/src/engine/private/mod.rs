//! Engine `private`: a dockerd with its own socket, data root and configuration, stopped afterwards.
//!
//! It also runs on locked-down machines: without CAP_SYS_RESOURCE (runtime.rs), with the hybrid cgroup v1
//! hierarchy (a private mount namespace gets a cgroup2), without systemd, and without netfilter
//! (network.rs).

mod folders;
mod network;
mod runtime;
mod stale;

pub(crate) use folders::EngineFolders;

use super::container::Network;
use super::{Client, EngineKind};
use anyhow::{Context as _, Result};
use network::Bridge;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};
use xtask_core::apt;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Background, which};
use xtask_core::failure::Code;
use xtask_core::interrupt;
use xtask_core::lock::{lock, lock_shared};
use xtask_core::signal::{self, Signal};
use xtask_core::ui::Ui;

/// Debian packages of the private engine. A program that is there is taken as it is, whoever made it:
/// docker.io would replace Docker's own packages.
pub(crate) fn packages(codename: &str) -> Vec<String> {
    let client = Client::new(EngineKind::Docker, None);
    let has_client = which(client.program()).is_some() && !client.is_podman_in_disguise();
    let programs = [
        ("docker.io", which("dockerd").is_some()),
        (client_package(codename), has_client),
        ("iptables", which("iptables").is_some()),
        ("iproute2", which("ip").is_some()),
    ];
    let mut packages: Vec<String> = Vec::new();
    for (package, there) in programs {
        if !there && !packages.iter().any(|known| known == package) {
            packages.push(package.to_owned());
        }
    }
    packages
}

/// Debian package of docker's client.
pub(crate) fn client_package(codename: &str) -> &'static str {
    let split = match codename {
        "bookworm" => false,
        "trixie" | "forky" | "sid" => true,
        // another distribution's
        _ => apt::knows("docker-cli"),
    };
    if split { "docker-cli" } else { "docker.io" }
}

/// Says what a run does that holds the lock.
const STARTS: &str = "another xtask starts or stops the engine of this checkout";

/// A running private engine. All xtasks of this checkout share it, and the last one stops it.
pub(crate) struct Private {
    places: EngineFolders,
    pub(crate) network: Network,
    users: File,
    /// The daemon, if this xtask started it.
    daemon: Option<Background>,
    ui: Ui,
}

impl Private {
    /// Joins the running engine. Otherwise sweeps the leftovers of a killed run and starts the engine.
    pub(crate) fn start(places: &EngineFolders, ui: &Ui) -> Result<Private> {
        fs::create_dir_all(&places.dir)
            .with_context(|| format!("cannot make {}", places.dir.shown()))?;
        let starting = lock_file(&places.dir.join("start.lock"))?;
        lock(&starting, STARTS).context("cannot lock the private engine")?;
        let users = lock_file(&places.dir.join("users.lock"))?;
        let alone = users.try_lock().is_ok();
        let client = places.client();
        if alone {
            stale::sweep(places);
            users.unlock().context("cannot unlock the private engine")?;
        }
        lock_shared(&users, STARTS).context("cannot lock the private engine")?;
        let (network, daemon) = if alone || client.version().is_err() {
            let (network, daemon) = launch(places, &client, ui)?;
            (network, Some(daemon))
        } else {
            (network_of(places), None)
        };
        Ok(Private { places: places.clone(), network, users, daemon, ui: ui.again() })
    }
}

fn lock_file(path: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
    file.with_context(|| format!("cannot open {}", path.shown()))
}

/// Starts dockerd and waits until it answers. If that fails, its leftovers are removed.
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
        .with_context(|| format!("cannot make {}", places.run.shown()))?;
    // dockerd would give the bridge the subnet that is noted there, which another engine may have by now
    drop(fs::remove_dir_all(places.dir.join("data/network")));
    let bridge = Bridge::set_up(&places.id);
    let network = match &bridge {
        Ok(_) => Network::Bridge,
        Err(error) => {
            ui.notice(&format!(
                "no bridge can be set up ({error:#}): containers share this host's network"
            ));
            Network::Host
        }
    };
    let config = config(places, bridge.as_ref().ok())?;
    fs::write(places.dir.join("daemon.json"), config).context("cannot write daemon.json")?;
    let cmd = places.daemon();
    let stage = ui.stage("start engine");
    ui.command(&cmd);
    let daemon = cmd.start(&places.log())?;
    let ready = wait_until_ready(client, &daemon);
    if ready.is_ok() {
        remove_steps_of_interrupted_builds(places, client);
    }
    stage.end(ready.is_ok());
    match ready {
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
                log.shown()
            ));
            Err(Code::NotReady.wrap(error))
        }
    }
}

/// Removes containers in which the legacy builder ran a step of our builder image. A build that is interrupted
/// leaves one if the engine stops before it has removed it. No container runs in an engine that just started.
fn remove_steps_of_interrupted_builds(places: &EngineFolders, client: &Client) {
    // no command where there is nothing to remove, which is the rule
    let containers = fs::read_dir(places.dir.join("data/containers"));
    if containers.is_ok_and(|mut containers| containers.next().is_some()) {
        // Dockerfile.builder sets this label before its first step
        let ours = "label=org.opencontainers.image.title=silvermetal-builder";
        let prune = client.cmd().args(["container", "prune", "--force", "--filter", ours]);
        prune.within_seconds(60).succeeds();
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

/// Contents of daemon.json: all files are in our folders, and dockerd changes nothing on the host.
fn config(places: &EngineFolders, bridge: Option<&Bridge>) -> Result<String> {
    let mut config = serde_json::json!({
        "data-root": places.dir.join("data"),
        "exec-root": places.run,
        "pidfile": places.pid_file(),
        "hosts": [format!("unix://{}", places.run.join("docker.sock").to_string_lossy())],
        "bridge": bridge.map_or("none", |b| &b.name),
        // dockerd's own rules would outlive it; network.rs adds three rules instead
        "iptables": false,
        "ip-forward": false,
        "ip-masq": false,
        "live-restore": false,
        // the classic image store, which has_image reads while the engine is stopped
        "features": { "containerd-snapshotter": false },
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

/// The network of the running engine, according to its configuration.
fn network_of(places: &EngineFolders) -> Network {
    let config = fs::read_to_string(places.dir.join("daemon.json")).unwrap_or_default();
    if config.contains("\"bridge\": \"none\"") { Network::Host } else { Network::Bridge }
}

impl Drop for Private {
    fn drop(&mut self) {
        let daemon = self.daemon.take();
        let last = lock_file(&self.places.dir.join("start.lock")).is_ok_and(|starting| {
            // a signal must not end this wait, and who holds the lock goes on
            let last = starting.lock().is_ok()
                && self.users.unlock().is_ok()
                && self.users.try_lock().is_ok();
            if last {
                // takes long if it still removes a container with many files
                let stage = self.ui.stage("stop engine");
                stop(&self.places);
                stage.end(true);
            }
            last
        });
        if let (Some(daemon), false) = (daemon, last) {
            daemon.leave(); // another xtask uses it, or the next run sweeps it
        }
    }
}

/// Asks the daemon to stop, waits for it, and then kills all processes that are left.
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

/// Returns true if a command uses the engine now.
pub(crate) fn is_used(places: &EngineFolders) -> bool {
    let users = places.dir.join("users.lock");
    users.exists() && lock_file(&users).is_ok_and(|users| users.try_lock().is_err())
}

/// Stops the engine of this checkout, unless another xtask uses it. Returns true if it was running.
pub(crate) fn clean(places: &EngineFolders) -> Result<bool> {
    if !places.dir.exists() {
        return Ok(false);
    }
    let starting = lock_file(&places.dir.join("start.lock"))?;
    lock(&starting, STARTS).context("cannot lock the private engine")?;
    let users = lock_file(&places.dir.join("users.lock"))?;
    if users.try_lock().is_err() {
        return Ok(false);
    }
    let was = stale::daemon_pid(places).is_some();
    stop(places);
    Ok(was)
}
