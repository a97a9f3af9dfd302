//! The engine on which the builder image is built and pushed, and the packages that it needs.

use super::build::Plan;
use super::conditions::{self, ImageConditions, VariationTraits};
use super::kept::KeptImage;
use super::{BuilderImage, Inputs, is_present};
use crate::engine::container::Network;
use crate::engine::private::{EngineFolders, Private};
use crate::engine::{BuildArgs, Client, EngineChoice, EngineKind, Selection, detect};
use anyhow::{Context as _, Result};
use xtask_core::apt;
use xtask_core::dry_run::DryRun;
use xtask_core::facts::archive::MirrorOptions;
use xtask_core::facts::host::Host;
use xtask_core::facts::mirror::{self, FoundMirror};
use xtask_core::facts::repo::Repo;
use xtask_core::facts::snapshot::SnapshotPin;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::ui::Ui;

pub(crate) const NO_ENGINE: &str = "the builder image needs a container engine, and engines host and vm are none: pass --engine docker, podman or private";

/// Facts that are gathered before anything is started or installed.
pub(crate) struct BuilderEnv {
    pub(crate) plan: Plan,
    selection: Selection,
    client: Client,
    places: EngineFolders,
    mirror: FoundMirror,
    missing: Vec<String>,
    pub(crate) problems: Vec<Problem>,
    /// True if the image need not be built.
    there: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Image,
    Rebuild,
    TwoBuilds,
}

/// An engine that runs.
pub(crate) struct RunningEngine {
    pub(crate) client: Client,
    pub(crate) network: Network,
    /// The private engine. It stops when this is dropped.
    _private: Option<Private>,
}

impl BuilderEnv {
    pub(crate) fn gather(repo: &Repo, build: &BuildArgs) -> Result<BuilderEnv> {
        BuilderEnv::gather_for(repo, build, Purpose::Image)
    }

    /// The same for a build from nothing, whatever is there.
    pub(crate) fn for_rebuild(repo: &Repo, build: &BuildArgs) -> Result<BuilderEnv> {
        BuilderEnv::gather_for(repo, build, Purpose::Rebuild)
    }

    /// The same for two builds from nothing.
    pub(crate) fn for_two_builds(repo: &Repo, build: &BuildArgs) -> Result<BuilderEnv> {
        BuilderEnv::gather_for(repo, build, Purpose::TwoBuilds)
    }

    fn gather_for(repo: &Repo, build: &BuildArgs, purpose: Purpose) -> Result<BuilderEnv> {
        let host = Host::gather()?;
        let places = EngineFolders::of(repo);
        let engines = [EngineKind::Docker, EngineKind::Podman, EngineKind::Private];
        let pin = SnapshotPin::read(repo)?;
        let wanted = MirrorOptions {
            url: build.mirror.clone(),
            keyring: build.mirror_keyring.clone(),
            ca_file: build.ca_file.clone(),
        };
        let found = mirror::find(&pin, &wanted, true);
        let plan = Plan::new(repo, Inputs::gather(repo)?, pin, found.mirror.clone());
        let selection = detect(build.engine, &engines, &host, &places);
        let code = match build.engine {
            EngineChoice::Host | EngineChoice::Vm => Code::Usage,
            _ => Code::NotReady,
        };
        let client = selection.client.clone();
        let client = client.context(NO_ENGINE).or_exit(code)?;

        let mut packages = selection.packages.clone();
        let there = purpose == Purpose::Image
            && (is_present(&client, &BuilderImage::Local(plan.inputs.clone()), &places)
                || KeptImage::find(repo, &plan.inputs).is_some());
        if !there {
            packages.extend(Plan::packages());
        }
        if purpose == Purpose::TwoBuilds && !conditions::has_clock() {
            packages.push(conditions::CLOCK_PACKAGE.to_owned());
        }
        let missing = host.missing(&packages);
        let mut problems = selection.problems.clone();
        if let Some(why) = &found.unreachable {
            problems.push(mirror::problem(&found.mirror, why));
        }
        problems.extend(apt::problem(&missing, build.setup));
        Ok(BuilderEnv { there, plan, selection, client, places, mirror: found, missing, problems })
    }

    /// The plan up to the image, for a dry run.
    pub(crate) fn describe(&self) -> DryRun {
        let mut plan = DryRun::default();
        let inputs = &self.plan.inputs;
        let name = self.client.local_name(&inputs.tag());
        let todo = if self.there { "there: nothing to build" } else { "built" };
        plan.line("image", format!("{name} ({todo})"));
        plan.line("base", self.plan.base_name());
        plan.line("pins", format!("snapshot {}", inputs.stamp));
        let pinned = if self.mirror.mirror.pinned() { "" } else { " (not the pinned snapshot)" };
        plan.line("packages", format!("{}{pinned}", self.mirror.mirror.debian));
        plan.line("engine", self.selection.kind.name());
        if !self.missing.is_empty() {
            plan.line("missing", format!("{} (--setup installs them)", self.missing.join(", ")));
            plan.step("with --setup: install missing packages", apt::line(&self.missing));
        }
        if self.selection.kind == EngineKind::Private {
            plan.step("start the private engine", self.places.daemon());
        }
        plan.step("build the image", self.plan.describe(&self.client, Network::Bridge));
        plan
    }

    /// Conditions of the second of two builds.
    pub(crate) fn other_conditions(&self) -> Result<ImageConditions> {
        let host = Host::gather()?;
        Ok(ImageConditions::other(VariationTraits {
            bootstraps: self.plan.bootstraps(),
            root: host.is_root(),
            memory: host.memory,
            clock: conditions::has_clock() || host.has_apt,
        }))
    }

    /// The plan of two builds, for a dry run.
    pub(crate) fn describe_two(&self, other: &ImageConditions) -> DryRun {
        let mut plan = self.describe();
        plan.line("build B", format!("the same, with another {}", other.names().join(", ")));
        for line in other.left_out() {
            plan.line("not varied", line);
        }
        let second = self.plan.under(other.clone()).describe(&self.client, Network::Bridge);
        plan.step("build it again, under other conditions", second);
        plan.step("compare", "# xtask compares the digests of both normal forms");
        plan
    }

    /// Reports all problems in one error. Otherwise installs missing packages and starts the engine.
    pub(crate) fn open(&self, ui: &Ui) -> Result<RunningEngine> {
        refuse(&self.problems)?;
        apt::install(&self.missing, ui)?;
        self.places.note_setup(self.selection.kind)?;
        mirror::announce(&self.mirror, ui);
        let private = match self.selection.kind {
            EngineKind::Private => Some(Private::start(&self.places, ui)?),
            _ => None,
        };
        let network = private.as_ref().map_or(Network::Bridge, |p| p.network);
        Ok(RunningEngine { client: self.client.clone(), network, _private: private })
    }
}
