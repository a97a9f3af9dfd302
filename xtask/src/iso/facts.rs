//! What is the case before an ISO is built: all of it, whatever is wrong with it.

use super::conditions::Conditions;
use crate::cli::IsoArgs;
use crate::engine::container::Network;
use crate::engine::paths::PathMap;
use crate::engine::private::Places;
use crate::engine::{EngineKind, Reach, Selection, survey};
use crate::image::{self, BuilderImage};
use crate::recipe::Recipe;
use anyhow::{Context as _, Result};
use base::facts::git::Source;
use base::facts::host::{Disk, Host};
use base::facts::mirror::{self, Found, SnapshotPin, Wanted};
use base::facts::repo::Repo;
use base::failure::{Code, OrExit as _, Problem};
use base::pins::{conf, env_file};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) struct Facts {
    pub(crate) repo: Repo,
    pub(crate) recipe: Recipe,
    pub(crate) source: Source,
    pub(crate) host: Host,
    pub(crate) places: Places,
    pub(crate) engine: Selection,
    pub(crate) image: BuilderImage,
    /// Whether the engine has the image already.
    pub(crate) image_present: bool,
    pub(crate) pin: SnapshotPin,
    pub(crate) mirror: Found,
    pub(crate) epoch: Epoch,
    pub(crate) mksquashfs_options: String,
    /// Where the result goes.
    pub(crate) output: PathBuf,
    pub(crate) output_disk: Disk,
    /// Where the engine keeps images and containers, if that is on this machine.
    pub(crate) engine_disk: Option<Disk>,
    /// The contract's constants, unless `verify --vary` says otherwise.
    pub(crate) conditions: Conditions,
    /// How the engine names this machine's paths.
    pub(crate) paths: PathMap,
    pub(crate) ca_file: Option<PathBuf>,
    /// Packages that this machine lacks for this build.
    pub(crate) missing: Vec<String>,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) now: u64,
}

/// SOURCE_DATE_EPOCH and where it comes from.
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

impl Facts {
    /// Reads everything; `engine` overrides the flag where an earlier choice could not start.
    pub(crate) fn gather(repo: &Repo, args: &IsoArgs, engine: Option<EngineKind>) -> Result<Facts> {
        let recipe = Recipe::load(repo, &args.what.recipe)?;
        let host = Host::gather()?;
        let places = Places::of(repo);
        let source = Source::gather(repo)?;
        let mut engine = match engine {
            Some(kind) => survey(kind.into(), &recipe.needs.engines, &host, &places),
            None => survey(args.what.build.engine, &recipe.needs.engines, &host, &places),
        };
        let (paths, engine_disk) = on_the_engines_side(&mut engine, &places);
        let image = BuilderImage::choose(repo, args.what.image.as_deref())?;
        let image_present = match &engine.client {
            Some(client) => image::is_present(client, &image, &places),
            None => true,
        };
        let pin = SnapshotPin::read(repo)?;
        let keyring = args.what.build.mirror_keyring.as_deref().map(existing).transpose()?;
        let wanted = Wanted { url: args.what.build.mirror.clone(), keyring };
        // the product never comes from anything but the pin; the canary may
        let mirror = mirror::find(&pin, &wanted, !recipe.released);
        let mut packages = engine.packages.clone();
        if engine.kind == EngineKind::Host {
            packages.extend(recipe.needs.host_packages.iter().cloned());
        } else if !image_present && matches!(image, BuilderImage::Local(_)) {
            packages.extend(image::build::Plan::packages());
        }
        let output = match &args.output {
            Some(dir) => std::path::absolute(dir).context("--output").or_exit(Code::Usage)?,
            None => repo.output().join(folder_name(&recipe, &source)),
        };
        Ok(Facts {
            missing: host.missing(&packages),
            epoch: epoch(repo, source.commit_time)?,
            mksquashfs_options: conf::mksquashfs_options(
                &repo.config().join("silvermetal-base.conf"),
            )?,
            output_disk: Disk::holding(&output)?,
            ca_file: args.what.build.ca_file.as_deref().map(existing).transpose()?,
            now: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            repo: repo.clone(),
            recipe,
            source,
            host,
            places,
            engine,
            image,
            image_present,
            pin,
            mirror,
            output,
            engine_disk,
            paths,
            conditions: Conditions::default(),
        })
    }

    /// The network that the container of this build needs, on an engine that has a bridge.
    pub(crate) fn network(&self) -> Network {
        if self.mirror.mirror.on_loopback() { Network::Host } else { Network::Bridge }
    }
}

/// What can be asked of an engine that answers; what it cannot do becomes a problem of its own.
fn on_the_engines_side(engine: &mut Selection, places: &Places) -> (PathMap, Option<Disk>) {
    let Some(client) = &engine.client else { return (PathMap::Same, None) };
    if client.kind == EngineKind::Private {
        return (PathMap::Same, Disk::holding(&places.dir).ok());
    }
    if !matches!(engine.reach, Reach::Answers(_)) {
        return (PathMap::Same, None);
    }
    if client.cgroup_version().is_ok_and(|version| version == "1") {
        engine.problems.push(Problem::new(
            format!(
                "engine {} runs on cgroup v1, where the builder's systemd does not boot",
                client.kind
            ),
            "boot its host with systemd.unified_cgroup_hierarchy=1, or pass --engine private",
        ));
    }
    let root = client.root_dir().ok().map(PathBuf::from).filter(|dir| dir.exists());
    let disk = root.and_then(|dir| Disk::holding(&dir).ok());
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

/// `<short-sha>[-dirty]` for the product, with the recipe's name before it for any other.
fn folder_name(recipe: &Recipe, source: &Source) -> String {
    let dirty = if source.dirty { "-dirty" } else { "" };
    let prefix = if recipe.released { String::new() } else { format!("{}-", recipe.name) };
    format!("{prefix}{}{dirty}", source.short)
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
                        "{}: SOURCE_DATE_EPOCH: expected seconds since 1970, found `{value}`",
                        path.display()
                    )
                })
                .or_exit(Code::NotReady)?;
            Ok(Epoch { seconds, from: EpochFrom::EnvFile })
        }
    }
}

fn existing(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))
        .or_exit(Code::Usage)
}
