//! Executes a build, from checked facts to a published folder.

use super::inputs::BuildFacts;
use super::policy_gate::PolicyGate;
use super::preflight;
use super::run::{self, RunEnd};
use super::sandbox::Sandbox;
use super::sweep;
use super::watch::Watch;
use crate::build::records::earlier::EarlierBuild;
use crate::build::records::{self, FinishedIso, RunFacts, StageRecord};
use crate::build::{saved_inputs, workdir};
use crate::builder_image::{self, BuilderImage, EngineImage};
use crate::engine::Client;
use crate::engine::container::Network;
use crate::engine::vm::{Measured, VmFacts};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Signal, StopBy};
use xtask_core::failure::{Problem, refuse};
use xtask_core::log::Log;
use xtask_core::pins::Digest;
use xtask_core::records::published::Published;
use xtask_core::ui::Ui;
use xtask_core::{hash, interrupt, step};

/// A published ISO.
pub(crate) struct BuiltIso {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    /// Bytes.
    size: u64,
    seconds: f64,
}

impl BuiltIso {
    pub(crate) fn json(&self, facts: &BuildFacts) -> serde_json::Value {
        serde_json::json!({
            "format": "silvermetal-build/1",
            "recipe": facts.recipe.name,
            "iso": self.path.to_string_lossy(),
            "sha256": self.digest.hex(),
            "size": self.size,
            "output": facts.output.to_string_lossy(),
            "engine": facts.engine.kind.name(),
            "commit": facts.source.commit.to_string(),
            "dirty": facts.source.dirty,
            "apt_pinned": facts.mirror.mirror.pinned(),
            "source_date_epoch": facts.epoch.seconds,
            "seconds": self.seconds,
        })
    }
}

/// How a build ended.
pub(crate) enum BuildEnd {
    Built(BuiltIso),
    Halted(HaltedBuild),
}

impl BuildEnd {
    pub(crate) fn halted(self) -> Option<HaltedBuild> {
        match self {
            BuildEnd::Built(_) => None,
            BuildEnd::Halted(halted) => Some(halted),
        }
    }
}

/// A build that its watch stopped. Its work folder is gone; the records hold the stages that it finished.
pub(crate) struct HaltedBuild {
    pub(crate) records: Published,
    /// Stage in which it was stopped.
    pub(crate) stage: String,
    /// Time that it was in that stage.
    pub(crate) in_stage: Duration,
    /// Facts that were measured inside the machine of engine vm.
    pub(crate) measured: Option<Measured>,
}

/// Builds or pulls the builder image if the engine does not have it.
pub(crate) fn prepare(facts: &BuildFacts, network: Network, setup: bool, ui: &Ui) -> Result<()> {
    if let Some(vm) = &facts.vm {
        return ensure_tree(facts, vm, ui).map(drop);
    }
    let client = facts.engine.client.as_ref();
    client.map_or(Ok(()), |client| ensure_image(facts, client, network, setup, ui).map(drop))
}

/// Builds and publishes an ISO, unless `watch` stops the build. `begun` is the start of the command. `setup`
/// allows building the builder image.
pub(super) fn build(
    facts: &BuildFacts,
    gate: Option<&PolicyGate>,
    (network, setup): (Network, bool),
    watch: Option<&Watch>,
    begun: Instant,
    ui: &Ui,
) -> Result<BuildEnd> {
    let beside = facts.output.parent().unwrap_or(Path::new("/"));
    sweep::sweep(beside, facts.engine.client.as_ref(), &facts.repo, ui)?;
    let own_cache = |cache: &Path| {
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.shown()))
    };
    let image = match (&facts.engine.client, &facts.vm) {
        (Some(client), _) => Some(ensure_image(facts, client, network, setup, ui)?),
        (None, Some(vm)) => {
            own_cache(&vm.cache())?;
            Some(ensure_tree(facts, vm, ui)?)
        }
        (None, None) => {
            own_cache(&facts.repo.state().join("apt-cache"))?;
            None
        }
    };

    let site = Sandbox::set_up(facts, network)?;
    let built = build_at(&site, facts, gate, watch, image, begun, ui);
    // takes a while: the product's work folder has some hundred thousand files
    let clean_up = ui.stage("clean-up");
    drop(site);
    clean_up.end(true);
    built
}

fn build_at(
    site: &Sandbox,
    facts: &BuildFacts,
    gate: Option<&PolicyGate>,
    watch: Option<&Watch>,
    image: Option<EngineImage>,
    begun: Instant,
    ui: &Ui,
) -> Result<BuildEnd> {
    let Sandbox { folders, run, work, .. } = site;
    let mut log = Log::create(&folders.log)?;

    let earlier = EarlierBuild::like(facts);
    let ended =
        run::run(run, &facts.recipe, earlier.as_ref(), &folders.out(), watch, ui, &mut log)?;
    let stages = match ended {
        RunEnd::Finished(stages) => stages,
        RunEnd::Halted(stages, stage, in_stage) => {
            work.give_to(facts.host.caller, facts.host.uid)?;
            let dir = watch.and_then(|watch| watch.artefacts.as_deref());
            let records = records::of_halted(facts, &folders.out(), dir, &stages)?;
            keep_artefacts(&folders.out(), dir, &stages)?;
            fs::remove_file(log.path()).context("cannot remove the log")?;
            let measured = run.measured();
            return Ok(BuildEnd::Halted(HaltedBuild { records, stage, in_stage, measured }));
        }
    };
    let hashing = ui.wait("hashing the ISO");
    work.give_to(facts.host.caller, facts.host.uid)?;
    let out = folders.out();
    let made = out.join(&facts.recipe.iso);
    if !fs::symlink_metadata(&made).is_ok_and(|meta| meta.is_file() && meta.len() > 0) {
        let what = format!(
            "recipe {} succeeded, but made no ISO: expected {}",
            facts.recipe.name, facts.recipe.iso
        );
        return Err(log.failure(&what));
    }
    let (digest, size) = hash::file(&made)?;
    let iso = FinishedIso { digest, size };
    drop(hashing);

    let inputs = match (&facts.save_inputs, &facts.engine.client) {
        (Some(_), Some(client)) => {
            let stage = ui.stage("save inputs");
            let kept = saved_inputs::keep(facts, client, &folders.cache(), &folders.inputs());
            stage.end(kept.is_ok());
            Some(kept?)
        }
        _ => facts.inputs.as_ref().map(|saved| saved.digest.clone()),
    };

    let result = folders.work.join("result");
    fs::create_dir(&result).with_context(|| format!("cannot make {}", result.shown()))?;
    fs::rename(&made, result.join(&facts.recipe.iso))
        .context("cannot move the ISO to the result")?;
    let measured = run.measured();
    let run_facts = RunFacts {
        started: facts.now,
        seconds: begun.elapsed().as_secs_f64(),
        environment: records::environment(
            facts,
            image.as_ref().map(|image| image.id.as_str()),
            measured.as_ref(),
        ),
        measured,
        image,
        command: run.cmd().to_string(),
        inputs,
    };
    records::write(facts, &out, &result, &iso, &stages, &run_facts)?;
    let iso_path = result.join(&facts.recipe.iso);
    let passed = gate.map_or(Ok(()), |gate| gate.check(&iso_path, &mut log, ui));
    interrupt::check()?;
    if passed.is_ok() {
        keep_log(&mut log, &result)?;
    }
    work.give_to(facts.host.caller, facts.host.uid)?;
    if let Some(dir) = &facts.save_inputs {
        saved_inputs::put_in_place(&folders.inputs(), dir)?;
    }
    if passed.is_err() {
        // kept because it took an hour to build and shows the violation
        let rejected = workdir::rejected(&facts.output);
        work.publish(&result, &rejected)?;
        ui.notice(&format!(
            "the image is kept for inspection; it is not a result: {}",
            rejected.shown()
        ));
    }
    passed?;
    keep_artefacts(&out, watch.and_then(|watch| watch.artefacts.as_deref()), &stages)?;
    work.publish(&result, &facts.output)?;

    Ok(BuildEnd::Built(BuiltIso {
        path: facts.output.join(&facts.recipe.iso),
        digest: iso.digest,
        size: iso.size,
        seconds: begun.elapsed().as_secs_f64(),
    }))
}

/// Moves the artefacts of the stages into `dir`, so that they can be compared with another build's. The
/// image is not among them: it is in the result, if there is one.
fn keep_artefacts(out: &Path, dir: Option<&Path>, stages: &[StageRecord]) -> Result<()> {
    let Some(dir) = dir else { return Ok(()) };
    for artefact in stages.iter().flat_map(|stage| &stage.artefacts) {
        let (from, to) = (out.join(&artefact.path), dir.join(&artefact.path));
        if !from.exists() {
            continue;
        }
        to.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::rename(&from, &to).with_context(|| format!("cannot keep {}", from.shown()))?;
    }
    Ok(())
}

/// The command lines that build the builder image; `None` if a build would not build it.
pub(super) fn describe_image(facts: &BuildFacts, network: Network) -> Option<String> {
    let BuilderImage::Local(inputs) = &facts.image else { return None };
    let client = facts.engine.client.as_ref()?;
    let plan = image_plan(facts, inputs);
    Some(plan.describe(client, network))
}

fn image_plan(facts: &BuildFacts, inputs: &builder_image::Inputs) -> builder_image::build::Plan {
    builder_image::build::Plan::new(
        &facts.repo,
        inputs.clone(),
        facts.pin.clone(),
        facts.mirror.mirror.clone(),
    )
}

/// Makes the disk image of the builder's tree for engine vm, if it is not there.
fn ensure_tree(facts: &BuildFacts, vm: &VmFacts, ui: &Ui) -> Result<EngineImage> {
    let Some(kept) = &facts.kept_image else {
        refuse(&[preflight::no_tree(facts)])?;
        bail!("engine vm has no builder image");
    };
    builder_image::disk::make(kept, &vm.tree(Some(&kept.digest)), ui)?;
    Ok(EngineImage { id: kept.digest.to_string(), digest: Some(kept.digest.clone()) })
}

/// Returns the builder image on the engine. A missing image is built (with `setup`), loaded or pulled first.
fn ensure_image(
    facts: &BuildFacts,
    client: &Client,
    network: Network,
    setup: bool,
    ui: &Ui,
) -> Result<EngineImage> {
    let name = facts.image.name(client);
    let there = client.image_id(&name)?;
    let found = |id: Option<String>, digest: Option<Digest>| {
        let id = id.with_context(|| format!("{} has no {name}", client.program()))?;
        Ok(EngineImage { id, digest })
    };
    let ways = || builder_image::fix_hint(client.kind, &facts.repo.build_sh());
    match &facts.image {
        BuilderImage::Local(inputs) => {
            if there.is_some() {
                // an image that another target/ made is used, but nothing here knows its digest
                let kept = facts.kept_image.as_ref();
                let kept = kept.filter(|kept| kept.is_called(&name, client).is_ok_and(|is| is));
                return found(there, kept.map(|kept| kept.digest.clone()));
            }
            if !setup && facts.kept_image.is_none() {
                refuse(&[Problem::new(format!("no builder image: {name} is not built"), ways())])?;
            }
            let own = image_plan(facts, inputs).execute(client, network, ui)?;
            found(client.image_id(&own.name)?, Some(own.kept.digest))
        }
        BuilderImage::Saved { image, archive, digest, .. } => {
            let loaded = image.load(archive, client, ui)?;
            found(client.image_id(&loaded)?, digest.clone())
        }
        BuilderImage::Named(reference) if there.is_some() => found(there, reference.digest.clone()),
        BuilderImage::Named(reference) => {
            let pull = client.pull(&name);
            let mut why = "no reason given".to_owned();
            let stop = StopBy::Signal(Signal::TERM);
            let exit = step::stream("pull image", &pull, &stop, ui, |line| {
                if !line.trim().is_empty() {
                    line.trim().clone_into(&mut why);
                }
                Ok(())
            })?;
            if !exit.ok() {
                refuse(&[Problem::new(
                    format!("the builder image {name} cannot be pulled: {why}"),
                    ways(),
                )])?;
            }
            found(client.image_id(&name)?, reference.digest.clone())
        }
    }
}

fn keep_log(log: &mut Log, result: &Path) -> Result<()> {
    log.flush()?;
    let kept = result.join(records::BUILD_LOG);
    let logs = kept.parent().unwrap_or(result);
    fs::create_dir(logs).with_context(|| format!("cannot make {}", logs.shown()))?;
    fs::copy(log.path(), &kept).context("cannot keep the log")?;
    fs::remove_file(log.path()).context("cannot move the log")
}
