//! Facts that are gathered before a build. Preflight reports the bad ones.

use super::args::BuildRequest;
use super::shortcuts::Shortcuts;
use crate::build::levers::{self, LeversHere};
use crate::build::saved_inputs::Saved;
use crate::builder_image::kept::KeptImage;
use crate::builder_image::{self, BuilderImage};
use crate::engine::container::Network;
use crate::engine::paths::PathMap;
use crate::engine::private::EngineFolders;
use crate::engine::variations::BuildConditions;
use crate::engine::vm::VmFacts;
use crate::engine::{EngineChoice, EngineKind, EngineStatus, Selection, detect};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::archive::MirrorOptions;
use xtask_core::facts::git::CheckoutState;
use xtask_core::facts::host::{DiskSpace, Host};
use xtask_core::facts::mirror::{self, FoundMirror};
use xtask_core::facts::repo::Repo;
use xtask_core::facts::snapshot::SnapshotPin;
use xtask_core::facts::upstream::{Upstream, UpstreamOrigin};
use xtask_core::failure::{Code, OrExit as _, Problem};
use xtask_core::names::did_you_mean;
use xtask_core::pins::{conf, env_file};
use xtask_core::recipe::Recipe;
use xtask_core::ui::Ui;
use xtask_core::{calendar, http};

/// Everything that a build depends on.
#[derive(Clone)]
pub(crate) struct BuildFacts {
    pub(crate) repo: Repo,
    pub(crate) request: BuildRequest,
    pub(crate) recipe: Recipe,
    pub(crate) source: CheckoutState,
    pub(crate) host: Host,
    pub(crate) places: EngineFolders,
    pub(crate) engine: Selection,
    /// The machines of engine vm; `None` on the other engines.
    pub(crate) vm: Option<VmFacts>,
    pub(crate) image: BuilderImage,
    /// True if the engine has the image already.
    pub(crate) image_present: bool,
    /// The normal form of the image, if it was built here; on engine vm also the one in the saved inputs.
    pub(crate) kept_image: Option<KeptImage>,
    pub(crate) pin: SnapshotPin,
    pub(crate) mirror: FoundMirror,
    /// Saved inputs of an earlier build, for a build without network.
    pub(crate) inputs: Option<Saved>,
    /// Shortcuts that the build takes, because its ISO is not released.
    pub(crate) shortcuts: Shortcuts,
    /// Folder for everything that this build fetches, if that is to be kept.
    pub(crate) save_inputs: Option<PathBuf>,
    pub(crate) epoch: Epoch,
    pub(crate) mksquashfs_options: String,
    /// Flavor to build; `None` if the recipe has only one image.
    pub(crate) flavor: Option<String>,
    /// The checkout of derivative-maker; `None` if the recipe needs none.
    pub(crate) upstream: Option<Upstream>,
    /// The recipe's levers in that checkout.
    pub(crate) levers: LeversHere,
    /// Folder for the result.
    pub(crate) output: PathBuf,
    pub(crate) output_disk: DiskSpace,
    /// Disk with the engine's images and containers, if it is on this machine.
    pub(crate) engine_disk: Option<DiskSpace>,
    /// The container contract's constants, unless `verify --vary` changes them.
    pub(crate) conditions: BuildConditions,
    /// Translates paths of this machine to paths on the engine's host.
    pub(crate) paths: PathMap,
    pub(crate) ca_file: Option<PathBuf>,
    /// Packages that this machine lacks for this build.
    pub(crate) missing: Vec<String>,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) now: u64,
}

/// SOURCE_DATE_EPOCH and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Seconds since 1970-01-01 UTC.
    pub(crate) seconds: u64,
    pub(crate) from: EpochFrom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EpochFrom {
    Commit,
    EnvFile,
}

impl BuildFacts {
    pub(crate) fn gather(repo: &Repo, request: &BuildRequest) -> Result<BuildFacts> {
        let _shown = Ui::new(false).wait("looking at checkout, engine and mirror");
        BuildFacts::read(repo, request, request.what.build.engine, None)
    }

    /// Gathers the facts for the next build of this command, on engine `kind`, because checkout,
    /// disks, clock and engine may have changed meanwhile. The slow parts are kept: the hashes of the
    /// saved inputs, and the mirror if it answered.
    pub(crate) fn again(&self, kind: EngineKind) -> Result<BuildFacts> {
        BuildFacts::read(&self.repo, &self.request, kind.into(), Some(self))
    }

    fn read(
        repo: &Repo,
        args: &BuildRequest,
        engine: EngineChoice,
        earlier: Option<&BuildFacts>,
    ) -> Result<BuildFacts> {
        let recipe = Recipe::load(repo, &args.what.recipe)?;
        let host = Host::gather()?;
        let places = EngineFolders::of(repo);
        let source = CheckoutState::gather(repo)?;
        let mut engine = detect(engine, &recipe.needs.engines, &host, &places);
        let (paths, engine_disk) = engine_side_facts(&mut engine, &places);
        let inputs = match earlier {
            Some(earlier) => earlier.inputs.clone(),
            None => args.what.from_inputs.as_deref().map(Saved::read).transpose()?,
        };
        let image = match &inputs {
            Some(saved) => saved.image(),
            None => BuilderImage::choose(repo, args.what.image.as_deref())?,
        };
        let image_present = match &engine.client {
            Some(client) => builder_image::is_present(client, &image, &places),
            None => true,
        };
        let kept_image = match &image {
            BuilderImage::Local(inputs) => KeptImage::find(repo, inputs),
            BuilderImage::Saved { archive, .. } if engine.kind == EngineKind::Vm => {
                KeptImage::read(archive)
            }
            _ => None,
        };
        let needs = &recipe.needs;
        let vm = (engine.kind == EngineKind::Vm)
            .then(|| {
                VmFacts::gather(&host, &repo.state(), needs.ram_gib.max(2 * needs.scratch_gib))
            })
            .transpose()?;
        let pin = SnapshotPin::read(repo)?;
        let keyring = args.what.build.mirror_keyring.as_deref().map(existing).transpose()?;
        let ca_file = args.what.build.ca_file.as_deref().map(existing).transpose()?;
        let wanted = MirrorOptions {
            url: args.what.build.mirror.clone(),
            keyring,
            ca_file: ca_file.clone(),
        };
        let answered = earlier.filter(|e| e.mirror.unreachable.is_none() && e.pin == pin);
        let mirror = match (&inputs, answered) {
            (Some(saved), _) => saved.mirror(),
            (None, Some(earlier)) => earlier.mirror.clone(),
            // a released recipe uses only the pinned snapshot
            (None, None) => mirror::find(&pin, &wanted, !recipe.released),
        };
        let mut packages = engine.packages.clone();
        if inputs.is_none() {
            packages.push(http::PACKAGE.to_owned());
        }
        if engine.kind == EngineKind::Host {
            packages.extend(recipe.needs.host_packages.iter().cloned());
        } else if matches!(image, BuilderImage::Local(_)) && !image_present && kept_image.is_none()
        {
            packages.extend(builder_image::build::Plan::packages());
        }
        let absolute = |dir: &PathBuf, flag: &'static str| {
            std::path::absolute(dir).context(flag).or_exit(Code::Usage)
        };
        let save_inputs = args.save_inputs.as_ref();
        let output = match &args.output {
            Some(dir) => absolute(dir, "--output")?,
            None => repo.output().join(folder_name(&recipe, &source, engine.kind)),
        };
        let upstream = match &args.candidate {
            Some(candidate) => Some(candidate.clone()),
            None => upstream(repo, &recipe, &source, args.what.upstream.as_deref())?,
        };
        let levers = upstream.as_ref().map(|upstream| levers::judge(&recipe, upstream));
        Ok(BuildFacts {
            levers: levers.transpose()?.unwrap_or_default(),
            missing: host.missing(&packages),
            epoch: epoch(repo, source.commit_time)?,
            mksquashfs_options: conf::mksquashfs_options(
                &repo.config().join("silvermetal-base.conf"),
            )?,
            output_disk: DiskSpace::holding(&output)?,
            shortcuts: args.what.shortcuts.checked(&recipe, engine.kind)?,
            flavor: flavor(repo, &recipe, args.what.flavor.as_deref(), inputs.as_ref())?,
            upstream,
            ca_file,
            now: calendar::now(),
            repo: repo.clone(),
            request: args.clone(),
            recipe,
            source,
            host,
            places,
            engine,
            vm,
            image,
            image_present,
            kept_image,
            pin,
            mirror,
            output,
            engine_disk,
            save_inputs: save_inputs.map(|dir| absolute(dir, "--save-inputs")).transpose()?,
            inputs,
            paths,
            conditions: BuildConditions::default(),
        })
    }

    /// The same facts, with another folder for the result.
    pub(crate) fn with_output(&self, output: &Path) -> Result<BuildFacts> {
        let mut facts = self.clone();
        facts.output = std::path::absolute(output).context("--output").or_exit(Code::Usage)?;
        facts.output_disk = DiskSpace::holding(&facts.output)?;
        facts.request.output = Some(facts.output.clone());
        Ok(facts)
    }

    /// Returns true if no other build uses the package cache, so that it holds only what this build
    /// fetched.
    pub(crate) fn has_own_cache(&self) -> bool {
        self.inputs.is_some() || self.save_inputs.is_some()
    }

    /// The processors that the builder has. Two builds at once have half of the machine's each.
    pub(crate) fn cpus(&self) -> usize {
        self.vm.as_ref().map_or(self.host.cpus, |vm| vm.cpus.min(self.host.cpus))
    }

    /// The network that this build's container needs, on an engine that has a bridge.
    pub(crate) fn network(&self) -> Network {
        match &self.inputs {
            Some(_) => Network::None,
            None if self.mirror.mirror.on_loopback() => Network::Host,
            None => Network::Bridge,
        }
    }
}

/// Asks a running engine for its paths and its disk. Something that it cannot do becomes a problem of
/// `engine`.
fn engine_side_facts(
    engine: &mut Selection,
    places: &EngineFolders,
) -> (PathMap, Option<DiskSpace>) {
    let Some(client) = &engine.client else { return (PathMap::Same, None) };
    if client.kind == EngineKind::Private {
        return (PathMap::Same, DiskSpace::holding(&places.dir).ok());
    }
    if !matches!(engine.status, EngineStatus::Running(_)) {
        return (PathMap::Same, None);
    }
    if client.cgroup_version().is_ok_and(|version| version == "1") {
        engine.problems.push(
            Problem::new(
                format!(
                    "engine {} runs on cgroup v1, where the builder's systemd does not boot",
                    client.kind
                ),
                "boot its host with systemd.unified_cgroup_hierarchy=1, or pass --engine private",
            )
            .of("cgroup-v2"),
        );
    }
    let root = client.root_dir().ok().map(PathBuf::from).filter(|dir| dir.exists());
    let disk = root.and_then(|dir| DiskSpace::holding(&dir).ok());
    match PathMap::of(client) {
        Ok(map) => (map, disk),
        Err(error) => {
            engine
                .problems
                .push(Problem::new(format!("{error:#}"), "or pass --engine private, as root"));
            (PathMap::Same, disk)
        }
    }
}

/// `SHORT-SHA[-dirty][-host|-vm]`, and the recipe's name before it if the recipe is not released. The tools
/// of engine host are this machine's, and engine vm is compared with the others, so their results have folders
/// of their own.
fn folder_name(recipe: &Recipe, source: &CheckoutState, engine: EngineKind) -> String {
    let host = match engine {
        EngineKind::Host => "-host",
        EngineKind::Vm => "-vm",
        EngineKind::Docker | EngineKind::Podman | EngineKind::Private => "",
    };
    let dirty = if source.dirty { "-dirty" } else { "" };
    let prefix = if recipe.released { String::new() } else { format!("{}-", recipe.name) };
    format!("{prefix}{}{dirty}{host}", source.short)
}

fn epoch(repo: &Repo, commit_time: u64) -> Result<Epoch> {
    let path = repo.config().join("source-date-epoch.env");
    let values = env_file::read(&path, &["SOURCE_DATE_EPOCH"])?;
    match values.get("SOURCE_DATE_EPOCH") {
        None => Ok(Epoch { seconds: commit_time, from: EpochFrom::Commit }),
        Some(value) => {
            let seconds = value
                .parse()
                .with_context(|| {
                    format!(
                        "{}: SOURCE_DATE_EPOCH: expected seconds since 1970, found `{}`",
                        path.shown(),
                        value.shown()
                    )
                })
                .or_exit(Code::NotReady)?;
            Ok(Epoch { seconds, from: EpochFrom::EnvFile })
        }
    }
}

fn flavor(
    repo: &Repo,
    recipe: &Recipe,
    wanted: Option<&str>,
    inputs: Option<&Saved>,
) -> Result<Option<String>> {
    if recipe.flavors.is_empty() {
        return match wanted {
            None => Ok(None),
            Some(_) => Err(Code::Usage
                .error(format!("recipe {} has no flavors: remove --flavor", recipe.name))),
        };
    }
    let conf = repo.config().join("silvermetal-base.conf");
    let saved = inputs.map(|saved| saved.get("Flavor")).filter(|name| !name.is_empty());
    let (name, code, from) = match (wanted, saved) {
        (Some(name), _) => (name.to_owned(), Code::Usage, "--flavor".to_owned()),
        (None, Some(name)) => (name.to_owned(), Code::NotReady, "--from-inputs".to_owned()),
        (None, None) => (conf::flavor(&conf)?, Code::NotReady, conf.shown().to_string()),
    };
    if !recipe.flavors.contains(&name) {
        let there_are = recipe.flavors.join(", ");
        return Err(code.error(format!(
            "{from}: recipe {} has no flavor `{}`: expected one of {there_are}{}",
            recipe.name,
            name.shown(),
            did_you_mean(&name, recipe.flavors.iter().map(String::as_str))
        )));
    }
    Ok(Some(name))
}

fn upstream(
    repo: &Repo,
    recipe: &Recipe,
    source: &CheckoutState,
    wanted: Option<&Path>,
) -> Result<Option<Upstream>> {
    let pin = source.submodule.clone();
    match (recipe.needs.submodule, wanted) {
        (true, Some(dir)) => Upstream::gather(dir, UpstreamOrigin::Caller, pin).map(Some),
        (true, None) => {
            Upstream::gather(&repo.submodule(), UpstreamOrigin::Submodule, pin).map(Some)
        }
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Code::Usage.error(format!(
            "recipe {} does not build from derivative-maker: remove --upstream",
            recipe.name
        ))),
    }
}

fn existing(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .with_context(|| format!("cannot read {}", path.shown()))
        .or_exit(Code::Usage)
}
