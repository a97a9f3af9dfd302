//! Builds the builder image, for `image build` and for `--setup`.

use super::{Inputs, bootstrap, labels};
use crate::engine::container::Network;
use crate::engine::{Client, EngineKind};
use crate::registry::Registry;
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::path::PathBuf;
use xtask_core::apt;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Signal, StopBy, which};
use xtask_core::facts::git::git;
use xtask_core::facts::host::Host;
use xtask_core::facts::mirror::{Mirror, SUITE, SnapshotPin};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, Problem, listing};
use xtask_core::lock::lock;
use xtask_core::log::Log;
use xtask_core::pins::ImageRef;
use xtask_core::step;
use xtask_core::ui::Ui;

/// The plan for building the image.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Inputs,
    pin: SnapshotPin,
    pub(crate) mirror: Mirror,
    context: PathBuf,
    scratch: PathBuf,
    log: PathBuf,
    /// Commit of this checkout, with `-dirty` if the inputs have uncommitted changes.
    revision: String,
}

impl Plan {
    pub(crate) fn new(repo: &Repo, inputs: Inputs, pin: SnapshotPin, mirror: Mirror) -> Plan {
        Plan {
            inputs,
            pin,
            mirror,
            context: repo.docker(),
            scratch: repo.state().join("base.tar"),
            log: repo.state().join("logs/image-build.log"),
            revision: revision(repo).unwrap_or_else(|_| "unknown".to_owned()),
        }
    }

    /// Packages for bootstrapping the base, which is needed if the registry cannot be reached.
    pub(crate) fn packages() -> Vec<String> {
        let mut packages = vec!["mmdebstrap", "debian-archive-keyring"];
        if which("python3").is_none() {
            packages.push("python3"); // since 1.6, mmdebstrap only recommends it, and still needs it
        }
        packages.into_iter().map(str::to_owned).collect()
    }

    /// The packages that building an image of `inputs` needs: none if the base is at hand, or if its registry
    /// answers. The registry is asked only if packages are missing.
    pub(crate) fn packages_for(host: &Host, client: &Client, inputs: &Inputs) -> Vec<String> {
        let packages = Plan::packages();
        if host.missing(&packages).is_empty() || base_at_hand(client, &inputs.base) {
            return Vec::new();
        }
        packages
    }

    /// `docker build` on top of `base`, for the legacy builder and for BuildKit.
    fn build(&self, client: &Client, base: &str, network: Network) -> Cmd {
        let mut cmd = client.build().env("BUILDKIT_PROGRESS", "plain");
        if client.kind != EngineKind::Podman && !has_buildx(client) {
            // without the plugin buildx, the client's default fails
            cmd = cmd.env("DOCKER_BUILDKIT", "0");
        }
        if network == Network::Host || self.mirror.on_loopback() {
            cmd = cmd.args(["--network", "host"]);
        }
        let mut arguments = vec![("BASE_IMAGE", base.to_owned())];
        if self.mirror.pinned() {
            arguments.push(("APT_SNAPSHOT_URL", self.pin.url.clone()));
            arguments.push(("APT_SNAPSHOT_STAMP", self.pin.stamp.to_string()));
        } else {
            arguments.push(("APT_MIRROR_DEBIAN", self.mirror.debian.clone()));
            arguments
                .push(("APT_MIRROR_SECURITY", self.mirror.security.clone().unwrap_or_default()));
        }
        for (name, value) in arguments {
            cmd = cmd.arg("--build-arg").arg(format!("{name}={value}"));
        }
        for (name, value) in self.labels(base) {
            cmd = cmd.arg("--label").arg(format!("{name}={value}"));
        }
        cmd.args(["--tag", &client.local_name(&self.inputs.tag()), "--file"])
            .arg(self.context.join("Dockerfile.builder"))
            .arg(&self.context)
    }

    /// Imports the bootstrapped base, with a label that says how it was made.
    fn import(&self, client: &Client, bootstrap: &Cmd, name: &str) -> Cmd {
        let (label, value) = bootstrap::label(bootstrap);
        let change = format!("LABEL {label}={value}");
        client.cmd().args(["import", "--change", &change]).arg(&self.scratch).arg(name)
    }

    fn labels(&self, base: &str) -> [(&'static str, String); 5] {
        let pinned = if self.mirror.pinned() { "yes" } else { "no" };
        [
            (labels::INPUTS, self.inputs.digest.to_string()),
            (labels::BASE, base.to_owned()),
            (labels::SNAPSHOT, self.pin.stamp.to_string()),
            (labels::APT_PINNED, pinned.to_owned()),
            (labels::REVISION, self.revision.clone()),
        ]
    }

    /// The text of a dry run: the exact command lines, with the registry's base and with our own.
    pub(crate) fn describe(&self, client: &Client, network: Network) -> String {
        let own = bootstrap::name(&self.mirror, &self.inputs.stamp);
        let bootstrap = bootstrap::command(&self.mirror, &self.pin.stamp, &self.scratch);
        format!(
            "{}\n{}\nor, where that registry cannot be reached:\n{}\n{}\n{}",
            client.pull(&self.inputs.base),
            self.build(client, &self.inputs.base, network),
            bootstrap,
            self.import(client, &bootstrap, &own),
            self.build(client, &own, network)
        )
    }

    /// Builds the image if the engine does not have it. Returns its name on the engine.
    pub(crate) fn execute(&self, client: &Client, network: Network, ui: &Ui) -> Result<String> {
        let name = client.local_name(&self.inputs.tag());
        if client.image_id(&name)?.is_some() {
            return Ok(name);
        }
        let _alone = self.alone()?;
        if client.image_id(&name)?.is_some() {
            return Ok(name); // another xtask has built it meanwhile
        }
        let mut log = Log::create(&self.log)?;
        let base = self.base(client, ui, &mut log)?;
        self.step("image", &self.build(client, &base, network), ui, &mut log)?;
        client
            .image_id(&name)?
            .with_context(|| format!("the build succeeded, but the engine has no {name}"))?;
        Ok(name)
    }

    /// Takes the lock for image builds, because a checkout has one log and one file for the base.
    fn alone(&self) -> Result<File> {
        let path = self.scratch.with_extension("lock");
        let context = || format!("cannot lock {}", path.shown());
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(context)?;
        }
        let file = File::create(&path).with_context(context)?;
        lock(&file, "another xtask builds the builder image").with_context(context)?;
        Ok(file)
    }

    fn base(&self, client: &Client, ui: &Ui, log: &mut Log) -> Result<String> {
        let pinned = &self.inputs.base;
        if client.image_id(pinned)?.is_some() || client.pull(pinned).within_seconds(600).succeeds()
        {
            return Ok(pinned.clone());
        }
        let own = client.local_name(&bootstrap::name(&self.mirror, &self.inputs.stamp));
        let bootstrap = bootstrap::command(&self.mirror, &self.pin.stamp, &self.scratch);
        let (label, value) = bootstrap::label(&bootstrap);
        let has = client.image_id(&own)?.is_some();
        if has && client.labels(&own)?.get(label) == Some(&value) {
            ui.notice(&format!(
                "no registry serves {pinned}: using the base of an earlier attempt"
            ));
            return Ok(own);
        }
        ui.notice(&format!(
            "no registry serves {pinned}: bootstrapping {SUITE} from the Debian mirror instead"
        ));
        if which("mmdebstrap").is_none() {
            return Err(Code::NotReady.error(listing(&[Problem::new(
                "mmdebstrap is not installed",
                apt::line(&Plan::packages()),
            )])));
        }
        let made = self.step("base", &bootstrap, ui, log);
        let import = self.import(client, &bootstrap, &own);
        let made = made.and_then(|()| self.step("import", &import, ui, log));
        drop(fs::remove_file(&self.scratch)); // it may not exist, if the bootstrap failed
        made.map(|()| own)
    }

    fn step(&self, stage: &str, cmd: &Cmd, ui: &Ui, log: &mut Log) -> Result<()> {
        let stop = StopBy::Signal(Signal::TERM);
        let exit = step::stream(stage, cmd, &stop, ui, |line| log.line(line))?;
        if !exit.ok() {
            return Err(log.failure(&format!("image build, stage {stage}, failed ({exit})")));
        }
        Ok(())
    }
}

/// Returns true if the engine has the base or its registry serves it.
fn base_at_hand(client: &Client, base: &str) -> bool {
    if client.image_id(base).is_ok_and(|id| id.is_some()) {
        return true;
    }
    let Ok(base) = base.parse::<ImageRef>() else { return false };
    let ui = Ui::new(false);
    let reference = base.digest.as_ref().map(ToString::to_string).or(base.tag.clone());
    let asked = Registry::open(&base, &ui).map(Registry::impatient);
    asked.is_ok_and(|registry| registry.manifest(&reference.unwrap_or_default()).is_ok())
}

fn has_buildx(client: &Client) -> bool {
    client.cmd().args(["buildx", "version"]).within_seconds(10).succeeds()
}

/// Returns the commit, with `-dirty` if the files that go into the image have uncommitted changes.
fn revision(repo: &Repo) -> Result<String> {
    let git = || git(&repo.root);
    let commit = git().args(["rev-parse", "HEAD"]).read()?;
    let inputs = ["linux/build/docker", "linux/build/config/snapshot-pin.env"];
    let changes = git().args(["status", "--porcelain", "--"]).args(inputs).read()?;
    Ok(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
}
