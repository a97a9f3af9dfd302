//! Builds the builder image, for `image build` and for `--setup`.

use super::conditions::ImageConditions;
use super::kept::{self, KeptImage};
use super::normalise::{LatestTime, normalise};
use super::work::ImageWork;
use super::{Inputs, bootstrap, labels};
use crate::engine::container::Network;
use crate::engine::{Client, EngineKind};
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use xtask_core::apt;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Signal, StopBy, which};
use xtask_core::facts::archive::Mirror;
use xtask_core::facts::builder_inputs;
use xtask_core::facts::repo::Repo;
use xtask_core::facts::snapshot::SnapshotPin;
use xtask_core::failure::{Code, Problem, listing};
use xtask_core::in_place::part;
use xtask_core::log::Log;
use xtask_core::step;
use xtask_core::ui::Ui;

/// The plan for building the image.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    repo: Repo,
    pub(crate) inputs: Inputs,
    pin: SnapshotPin,
    pub(crate) mirror: Mirror,
    conditions: ImageConditions,
    log: PathBuf,
}

/// The image of the inputs on an engine.
pub(crate) struct OwnImage {
    /// Its name there.
    pub(crate) name: String,
    pub(crate) kept: KeptImage,
}

impl Plan {
    pub(crate) fn new(repo: &Repo, inputs: Inputs, pin: SnapshotPin, mirror: Mirror) -> Plan {
        let log = repo.state().join("logs/image-build.log");
        let conditions = ImageConditions::default();
        Plan { repo: repo.clone(), inputs, pin, mirror, conditions, log }
    }

    /// The same plan under other conditions.
    pub(crate) fn under(&self, conditions: ImageConditions) -> Plan {
        Plan { conditions, ..self.clone() }
    }

    /// Packages for bootstrapping the base.
    pub(crate) fn packages() -> Vec<String> {
        let mut packages = vec!["mmdebstrap", "debian-archive-keyring"];
        if which("python3").is_none() {
            packages.push("python3"); // since 1.6, mmdebstrap only recommends it, and still needs it
        }
        packages.into_iter().map(str::to_owned).collect()
    }

    /// File with the normal form.
    pub(super) fn archive(&self) -> PathBuf {
        kept::path(&self.repo, &self.inputs)
    }

    /// Folder of the normal forms.
    pub(super) fn folder(&self) -> PathBuf {
        kept::folder(&self.repo)
    }

    /// Latest time of a file in the image: the snapshot's. The packages are older, what the build itself writes is not.
    fn epoch(&self) -> u64 {
        self.pin.stamp.unix_time()
    }

    /// Name of the image as the builder leaves it.
    fn raw(&self, client: &Client) -> String {
        client.local_name(&format!("silvermetal-raw:{}", self.repo.checkout_id()))
    }

    /// `docker build` on top of `base`, for the legacy builder and for BuildKit.
    fn build(&self, client: &Client, base: &Base, network: Network, work: &ImageWork) -> Cmd {
        let mut cmd = client.build().env("BUILDKIT_PROGRESS", "plain").arg("--no-cache");
        if client.kind != EngineKind::Podman && !has_buildx(client) {
            // without the plugin buildx, the client's default fails; the legacy builder would leave the
            // container of a RUN that failed
            cmd = cmd.env("DOCKER_BUILDKIT", "0").arg("--force-rm");
        }
        if network == Network::Host || self.mirror.on_loopback() {
            cmd = cmd.args(["--network", "host"]);
        }
        let mut arguments = vec![("BASE_IMAGE", base.name.clone())];
        if self.mirror.pinned() {
            arguments.push(("APT_SNAPSHOT_URL", self.pin.server_of(&self.mirror).to_owned()));
            arguments.push(("APT_SNAPSHOT_STAMP", self.pin.stamp.to_string()));
        } else {
            arguments.push(("APT_MIRROR_DEBIAN", self.mirror.debian.clone()));
            arguments
                .push(("APT_MIRROR_SECURITY", self.mirror.security.clone().unwrap_or_default()));
        }
        arguments.push(("SOURCE_DATE_EPOCH", self.epoch().to_string()));
        arguments.extend(self.conditions.build_arguments());
        for (name, value) in arguments {
            cmd = cmd.arg("--build-arg").arg(format!("{name}={value}"));
        }
        for (name, value) in self.labels(base) {
            cmd = cmd.arg("--label").arg(format!("{name}={value}"));
        }
        cmd.args(["--tag", &self.raw(client), "--file"])
            .arg(work.context.join("Dockerfile.builder"))
            .arg(&work.context)
    }

    fn labels(&self, base: &Base) -> [(&'static str, String); 4] {
        let pinned = if self.mirror.pinned() { "yes" } else { "no" };
        [
            (labels::INPUTS, self.inputs.digest.to_string()),
            (labels::BASE, base.label.clone()),
            (labels::SNAPSHOT, self.pin.stamp.to_string()),
            (labels::APT_PINNED, pinned.to_owned()),
        ]
    }

    fn bootstrap(&self, work: &ImageWork) -> Cmd {
        let hooks = self.conditions.hooks();
        let command = bootstrap::command(&self.mirror, &self.pin.stamp, &hooks, &work.base);
        self.conditions.around(command, &work.empty)
    }

    fn bootstrapped(&self, client: &Client) -> Base {
        let name = format!("silvermetal-base:{}", self.repo.checkout_id());
        Base {
            name: client.local_name(&name),
            label: bootstrap::label(&self.mirror, &self.inputs.stamp),
            bootstrapped: true,
        }
    }

    fn pulled(&self) -> Base {
        let name = self.inputs.base.clone();
        Base { label: name.clone(), name, bootstrapped: false }
    }

    /// Returns true if the base is made here, and not pulled.
    pub(super) fn bootstraps(&self) -> bool {
        bootstrap::possible()
    }

    /// The base, as the image's label names it.
    pub(crate) fn base_name(&self) -> String {
        if bootstrap::possible() {
            bootstrap::label(&self.mirror, &self.inputs.stamp)
        } else {
            self.inputs.base.clone()
        }
    }

    /// The text of a dry run: the exact command lines.
    pub(crate) fn describe(&self, client: &Client, network: Network) -> String {
        let work = ImageWork::of(&self.folder());
        let mut commands = Vec::new();
        let base = if bootstrap::possible() { self.bootstrapped(client) } else { self.pulled() };
        if base.bootstrapped {
            commands.push(self.bootstrap(&work));
            commands.push(import(client, &work.base, &base.name));
        } else {
            commands.push(client.pull(&base.name));
        }
        commands.push(self.build(client, &base, network, &work));
        commands.push(client.save(&self.raw(client), &work.saved));
        let mut lines: Vec<String> = commands.iter().map(ToString::to_string).collect();
        let archive = self.archive();
        lines.push(format!("# xtask writes its normal form to {}", archive.shown()));
        lines.push(client.load(&archive).to_string());
        lines.join("\n")
    }

    /// Gives the engine the image of the inputs: the one that it has, else the one that was built here, else a new one.
    pub(crate) fn execute(&self, client: &Client, network: Network, ui: &Ui) -> Result<OwnImage> {
        let name = client.local_name(&self.inputs.tag());
        let archive = self.archive();
        let there = |kept: &Option<KeptImage>| match kept {
            Some(kept) => kept.is_called(&name, client),
            None => Ok(false),
        };
        let mut kept = KeptImage::read(&archive);
        if !there(&kept)? {
            let _alone = self.alone()?;
            kept = KeptImage::read(&archive); // another xtask may have built it meanwhile
            if kept.is_none() {
                if client.image_id(&name)?.is_some() {
                    // target/ was removed, the engine's images were not
                    let work = ImageWork::set_up(&self.folder())?;
                    export(client, &name, LatestTime::OfImage, &self.inputs, &work, &archive, ui)?;
                } else {
                    self.make(client, network, &archive, ui)?;
                }
                kept = KeptImage::read(&archive);
            }
            if !there(&kept)?
                && let Some(kept) = &kept
            {
                kept.load(&name, client, ui)?;
            }
        }
        let kept = kept.with_context(|| format!("cannot read {}", archive.shown()))?;
        Ok(OwnImage { name, kept })
    }

    /// Builds the image from nothing, and writes its normal form to `archive`.
    pub(crate) fn make(
        &self,
        client: &Client,
        network: Network,
        archive: &Path,
        ui: &Ui,
    ) -> Result<()> {
        let work = ImageWork::set_up(&self.folder())?;
        let raw = self.raw(client);
        let mut log = Log::create(&self.log)?;
        work.stage(&builder_inputs::files(&self.repo)?, self.epoch())?;
        self.conditions.prepare(&work.context)?;
        let base = self.base(client, &work, ui, &mut log)?;
        let built = (|| {
            let build = self.build(client, &base, network, &work);
            self.step("image", &build, ui, &mut log)?;
            export(client, &raw, LatestTime::At(self.epoch()), &self.inputs, &work, archive, ui)
        })();
        // a gigabyte that nothing needs any more; after a failure it may not exist
        client.cmd().args(["image", "rm", &raw]).succeeds();
        if base.bootstrapped {
            client.cmd().args(["image", "rm", &base.name]).succeeds();
        }
        built
    }

    /// Takes the lock for image builds.
    pub(super) fn alone(&self) -> Result<File> {
        kept::alone(&self.repo)
    }

    /// Makes the base on the engine.
    fn base(&self, client: &Client, work: &ImageWork, ui: &Ui, log: &mut Log) -> Result<Base> {
        if !bootstrap::possible() {
            let base = self.pulled();
            ui.notice(&format!(
                "mmdebstrap cannot be installed here: the base is {}, so that the image has another digest than one \
                 with a bootstrapped base",
                base.name
            ));
            if client.image_id(&base.name)?.is_none() {
                self.step("base", &client.pull(&base.name), ui, log)?;
            }
            return Ok(base);
        }
        if which("mmdebstrap").is_none() {
            return Err(Code::NotReady.error(listing(&[Problem::new(
                "mmdebstrap is not installed",
                apt::line(&Plan::packages()),
            )])));
        }
        let base = self.bootstrapped(client);
        self.step("base", &self.bootstrap(work), ui, log)?;
        self.step("import", &import(client, &work.base, &base.name), ui, log)?;
        drop(fs::remove_file(&work.base));
        Ok(base)
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

/// A base image.
struct Base {
    /// Its name on the engine.
    name: String,
    /// Its name in the image's label.
    label: String,
    bootstrapped: bool,
}

fn import(client: &Client, base: &Path, name: &str) -> Cmd {
    client.cmd().arg("import").arg(base).arg(name)
}

/// Writes the normal form of an image that the engine has to `archive`, which appears whole or not at all.
pub(crate) fn export(
    client: &Client,
    image: &str,
    epoch: LatestTime,
    inputs: &Inputs,
    work: &ImageWork,
    archive: &Path,
    ui: &Ui,
) -> Result<()> {
    step::run("save image", &client.save(image, &work.saved), &StopBy::Signal(Signal::TERM), ui)?;
    let part = part(archive);
    drop(fs::remove_file(&part)); // of a killed run
    let stage = ui.stage("normalise");
    let made = normalise(&work.saved, epoch, &inputs.tag(), &part);
    stage.end(made.is_ok());
    drop(fs::remove_file(&work.saved));
    if made.is_err() {
        drop(fs::remove_file(&part));
    }
    made?;
    fs::rename(&part, archive).with_context(|| format!("cannot write {}", archive.shown()))
}

fn has_buildx(client: &Client) -> bool {
    client.cmd().args(["buildx", "version"]).within_seconds(10).succeeds()
}
