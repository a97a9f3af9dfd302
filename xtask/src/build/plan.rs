//! The plan of a build, as data: its folders, and its one long command. A dry run prints it; execution
//! uses it.

use super::inputs::BuildFacts;
use crate::build::saved_inputs::CACHE_GUEST;
use crate::engine::container::{Container, Mode, Mount, Network};
use crate::engine::host::{self, HostRun};
use crate::engine::variations::{AHEAD, Variation};
use crate::engine::vm::{self, Measured, Share, VmFacts, VmRun};
use crate::engine::{Client, EngineKind};
use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_core::exec::{Cmd, Exit, Signal, StopBy};
use xtask_core::facts::container::own_container;
use xtask_core::facts::upstream::UpstreamOrigin;
use xtask_core::hash;

/// Volume that keeps downloaded packages between builds.
pub(crate) const CACHE_VOLUME: &str = "silvermetal-apt-cache";
/// Volume that keeps derivative-maker's packages between builds.
pub(crate) const PACKAGES_VOLUME: &str = "silvermetal-package-cache";
const PACKAGES_GUEST: &str = "/var/cache/silvermetal-packages";
/// A constant even under `--vary path`: some of derivative-maker's tools (dm-reprepro-wrapper) expect
/// its files in this folder.
const UPSTREAM_GUEST: &str = "/home/user/derivative-maker";
const PROXY: &str = "http://127.0.0.1:9977";
const GUEST_CA: &str = "/etc/silvermetal/extra-ca.crt";
const GUEST_KEYRING: &str = "/etc/silvermetal/mirror-keyring.gpg";

/// Folders of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders {
    /// Part of the names of container, work folder and log.
    pub(crate) id: String,
    /// Beside the result, so that one rename publishes the result.
    pub(crate) work: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) log: PathBuf,
}

impl Folders {
    /// The folder that the builder writes to.
    pub(crate) fn out(&self) -> PathBuf {
        self.work.join("out")
    }

    /// The package cache, if the build has one of its own.
    pub(crate) fn cache(&self) -> PathBuf {
        self.work.join("cache")
    }

    /// The saved inputs, until the build ends.
    pub(crate) fn inputs(&self) -> PathBuf {
        self.work.join("inputs")
    }

    /// Copies of the recipe and the configuration for the builder. They have the modes that git records,
    /// because the builder's user cannot read a checkout that was made under umask 077.
    pub(crate) fn sources(&self, facts: &BuildFacts) -> Sources {
        let elsewhere = facts.conditions.is_elsewhere();
        let copy = self.work.join(if elsewhere { "another checkout" } else { "checkout" });
        Sources { recipe: copy.join("recipe"), conf: copy.join("conf") }
    }

    pub(crate) fn new(facts: &BuildFacts) -> Folders {
        let id = unique(&format!("{}-{}", facts.recipe.name, facts.source.short));
        let beside = facts.output.parent().unwrap_or(Path::new("/"));
        Folders {
            work: beside.join(format!(".work-{id}")),
            output: facts.output.clone(),
            log: facts.repo.state().join(format!("logs/{id}.log")),
            id,
        }
    }
}

/// `name` with some letters behind it that no other run has.
pub(super) fn unique(name: &str) -> String {
    let moment = format!("{}:{:?}", std::process::id(), std::time::SystemTime::now());
    format!("{name}-{}", &hash::text(&moment).hex()[..8])
}

/// Folders that are mounted read-only.
pub(crate) struct Sources {
    pub(crate) recipe: PathBuf,
    pub(crate) conf: PathBuf,
}

/// The one long command of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    Container { client: Client, container: Container },
    Host(HostRun),
    Vm(VmRun),
}

impl Run {
    pub(crate) fn cmd(&self) -> Cmd {
        match self {
            Run::Container { client, container } => container.run(client),
            Run::Host(run) => run.run(),
            Run::Vm(run) => run.run(),
        }
    }

    pub(crate) fn stop_by(&self) -> StopBy {
        match self {
            Run::Container { client, container } => StopBy::Command(client.stop(&container.name)),
            // PID 1 of a namespace ignores signals that it has no handler for
            Run::Host(_) => StopBy::Signal(Signal::KILL),
            Run::Vm(_) => StopBy::Signal(Signal::TERM),
        }
    }

    /// How the entry ended, if the command ended with `exit`.
    pub(crate) fn ended(&self, exit: Exit) -> Exit {
        match self {
            Run::Container { .. } | Run::Host(_) => exit,
            Run::Vm(run) => run.ended(exit),
        }
    }

    /// Facts that were measured inside, if the engine has a machine of its own.
    pub(crate) fn measured(&self) -> Option<Measured> {
        match self {
            Run::Container { .. } | Run::Host(_) => None,
            Run::Vm(run) => run.measured(),
        }
    }
}

/// Plans the one long command of the build, with paths as the engine's host names them. `network` is the
/// network that the engine offers.
pub(crate) fn run(facts: &BuildFacts, folders: &Folders, network: Network) -> Result<Run> {
    let BuildFacts { recipe, conditions, .. } = facts;
    let home = conditions.home();
    let mut command = conditions.wrapper(facts.engine.kind, facts.cpus());
    command.extend(facts.shortcuts.words());
    command.push(format!("{home}/recipe/{}", recipe.entry));
    command.extend(recipe.stages.iter().map(|stage| stage.name.clone()));
    let sources = folders.sources(facts);
    let keyring = facts.mirror.mirror.keyring.as_deref();
    if let Some(vm) = &facts.vm {
        return run_in_vm(facts, folders, vm, command).map(Run::Vm);
    }
    let Some(client) = facts.engine.client.clone() else {
        return Ok(Run::Host(HostRun {
            root: facts.repo.root.clone(),
            staging: folders.work.join("mount"),
            recipe: sources.recipe,
            conf: sources.conf,
            out: folders.out(),
            cache: facts.repo.state().join("apt-cache"),
            keyring: keyring.map(Path::to_owned),
            conditions: conditions.clone(),
            env: environment(facts, keyring.map(|_| host::keyring(home)).as_deref()),
            command,
        }));
    };
    let bind = |host: &Path, guest: &str, mode| -> Result<Mount> {
        Ok(Mount::Bind { host: facts.paths.translate(host)?, guest: guest.to_owned(), mode })
    };
    let mut mounts = vec![
        bind(&sources.recipe, &format!("{home}/recipe"), Mode::ReadOnly)?,
        bind(&sources.conf, &format!("{home}/conf"), Mode::ReadOnly)?,
        bind(&folders.out(), &format!("{home}/out"), Mode::ReadWrite)?,
    ];
    if let Some(upstream) = &facts.upstream {
        mounts.push(bind(&upstream.dir, UPSTREAM_GUEST, Mode::ReadOnly)?);
        if let Some(git_dir) = &upstream.git_dir {
            mounts.push(bind(git_dir, &format!("{UPSTREAM_GUEST}.git"), Mode::ReadOnly)?);
        }
    }
    if facts.has_own_cache() {
        mounts.push(bind(&folders.cache(), CACHE_GUEST, Mode::ReadWrite)?);
    } else {
        mounts.push(Mount::Volume { name: CACHE_VOLUME.into(), guest: CACHE_GUEST.into() });
    }
    if facts.shortcuts.reuses() {
        mounts.push(Mount::Volume { name: PACKAGES_VOLUME.into(), guest: PACKAGES_GUEST.into() });
    }
    if let Some(ca) = &facts.ca_file {
        mounts.push(bind(ca, GUEST_CA, Mode::ReadOnly)?);
    }
    if let Some(keyring) = keyring {
        mounts.push(bind(keyring, GUEST_KEYRING, Mode::ReadOnly)?);
    }
    let asked = facts.network();
    let container = Container {
        name: format!("silvermetal-{}", folders.id),
        checkout: facts.repo.checkout_id(),
        job: own_container(),
        conditions: conditions.clone(),
        image: facts.image.name(&client),
        network: if asked == Network::Bridge { network } else { asked },
        env: environment(facts, keyring.map(|_| GUEST_KEYRING)),
        mounts,
        command,
    };
    Ok(Run::Container { client, container })
}

/// The same build in a machine of its own: what a container gets as a mount is a shared folder there.
fn run_in_vm(
    facts: &BuildFacts,
    folders: &Folders,
    vm: &VmFacts,
    command: Vec<String>,
) -> Result<VmRun> {
    let BuildFacts { conditions, recipe, .. } = facts;
    let home = conditions.home();
    let share = |host: &Path, guest: &str, mode| Share {
        host: host.to_owned(),
        guest: guest.to_owned(),
        mode,
    };
    let sources = folders.sources(facts);
    let mut shares = vec![
        share(&sources.recipe, &format!("{home}/recipe"), Mode::ReadOnly),
        share(&sources.conf, &format!("{home}/conf"), Mode::ReadOnly),
        share(&folders.out(), &format!("{home}/out"), Mode::ReadWrite),
    ];
    if let Some(upstream) = &facts.upstream {
        shares.push(share(&upstream.dir, UPSTREAM_GUEST, Mode::ReadOnly));
        if let Some(git_dir) = &upstream.git_dir {
            shares.push(share(git_dir, &format!("{UPSTREAM_GUEST}.git"), Mode::ReadOnly));
        }
    }
    let cache = if facts.has_own_cache() { folders.cache() } else { vm.cache() };
    shares.push(share(&cache, CACHE_GUEST, Mode::ReadWrite));
    let keyring = facts.mirror.mirror.keyring.as_ref();
    let files = [(&facts.ca_file, GUEST_CA), (&facts.mirror.mirror.keyring, GUEST_KEYRING)];
    let kernel = usize::from(conditions.has(Variation::Kernel));
    Ok(VmRun {
        id: folders.id.clone(),
        accel: vm.accel.accel,
        cpus: facts.cpus(),
        memory: vm.memory,
        kernel: vm.kernel(kernel),
        tree: vm.tree(facts.kept_image.as_ref().map(|kept| &kept.digest)),
        scratch: folders.work.join("disk"),
        control: folders.work.join("vm"),
        shares,
        files: files
            .into_iter()
            .filter_map(|(file, guest)| Some((file.clone()?, guest.to_owned())))
            .collect(),
        network: facts.network(),
        clock: conditions.has(Variation::Clock).then_some(facts.now + AHEAD),
        other_cpu: conditions.has(Variation::CpuModel),
        conditions: conditions.clone(),
        env: environment(facts, keyring.map(|_| GUEST_KEYRING)),
        own_disk: (recipe.needs.scratch_gib > 0).then(|| format!("{home}/out/tmp")),
        command,
    })
}

/// The complete environment inside the builder: constants and pins, and nothing from the caller's
/// environment.
fn environment(facts: &BuildFacts, keyring: Option<&str>) -> Vec<(String, String)> {
    let mirror = &facts.mirror.mirror;
    let security = mirror.security.clone().unwrap_or_default();
    let yes = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let mut env = vec![
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("TZ", "UTC".to_owned()),
        ("SOURCE_DATE_EPOCH", facts.epoch.seconds.to_string()),
        ("MKSQUASHFS_OPTIONS", facts.mksquashfs_options.clone()),
    ];
    if facts.engine.kind == EngineKind::Host {
        env.push(("SILVERMETAL_APT_DEBIAN", mirror.debian.clone()));
        env.push(("SILVERMETAL_APT_SECURITY", security));
        env.push(("SILVERMETAL_APT_CACHE", format!("{}/apt-cache", facts.conditions.home())));
    } else {
        let proxied =
            if security.is_empty() { String::new() } else { format!("{PROXY}/debian-security") };
        let seen = |url: &str| match &facts.vm {
            Some(_) => vm::seen_from_inside(url),
            None => url.to_owned(),
        };
        env.push(("SILVERMETAL_UPSTREAM_DEBIAN", seen(&mirror.debian)));
        env.push(("SILVERMETAL_UPSTREAM_SECURITY", seen(&security)));
        env.push(("SILVERMETAL_APT_DEBIAN", format!("{PROXY}/debian")));
        env.push(("SILVERMETAL_APT_SECURITY", proxied));
    }
    env.push(("SILVERMETAL_APT_PINNED", yes(mirror.pinned())));
    if facts.inputs.is_some() {
        env.push(("SILVERMETAL_APT_OFFLINE", "yes".to_owned()));
    }
    env.push(("SILVERMETAL_KEYRING", keyring.unwrap_or_default().to_owned()));
    env.push(("SILVERMETAL_ISO", facts.recipe.iso.clone()));
    env.push(("SILVERMETAL_JOBS", facts.conditions.jobs(facts.cpus()).to_string()));
    env.push(("SILVERMETAL_HOME", facts.conditions.home().to_owned()));
    if let Some(flavor) = &facts.flavor {
        env.push(("SILVERMETAL_FLAVOR", flavor.clone()));
    }
    if let Some(upstream) = &facts.upstream {
        let origin = match upstream.origin {
            UpstreamOrigin::Submodule => "submodule",
            UpstreamOrigin::Caller => "checkout",
            UpstreamOrigin::Candidate if upstream.is_untagged() => "untagged",
            // a candidate is checked like the pin that it may become
            UpstreamOrigin::Candidate => "submodule",
        };
        env.push(("SILVERMETAL_UPSTREAM", origin.to_owned()));
    }
    env.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
