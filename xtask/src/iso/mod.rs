//! `cargo xtask iso`: gather, plan, preflight, build, publish.

mod facts;
mod plan;
mod preflight;
mod records;
mod run;
pub(crate) mod work;

use plan::{CACHE_VOLUME, checkout_id};

use crate::cli::IsoArgs;
use crate::engine::container::Network;
use crate::engine::private::{Places, Private};
use crate::engine::{Client, EngineChoice, EngineKind};
use crate::facts::mirror;
use crate::facts::repo::Repo;
use crate::failure::{Code, Problem, listing, refuse};
use crate::image::{self, BuilderImage};
use crate::log::Log;
use crate::ui::Ui;
use crate::{hash, interrupt, setup};
use anyhow::{Context as _, Result};
use facts::Facts;
use plan::{Folders, Run};
use records::{Iso, RunFacts};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use work::{Janitor, WorkFolder};

/// `cargo xtask iso`
pub(crate) fn command(repo: &Repo, args: &IsoArgs) -> Result<()> {
    let ui = Ui::new(args.build.verbose);
    let begun = Instant::now();
    let mut facts = Facts::gather(repo, args, None)?;
    let mut problems = preflight::problems(&facts, args.build.setup);
    if args.build.dry_run {
        let folders = Folders::new(&facts);
        let run = plan::run(&facts, &folders, Network::Bridge)?;
        let build = image_build(&facts, &Network::Bridge);
        println!("{}", plan::describe(&facts, &folders, &run, build.as_deref()));
        if !problems.is_empty() {
            ui.print(&listing(&problems));
        }
        return Ok(());
    }
    refuse(&problems)?;
    if !facts.missing.is_empty() {
        setup::install(&facts.missing, &ui)?;
        // the same engine, even if installing its packages started another one
        facts = Facts::gather(repo, args, Some(facts.engine.kind))?;
        problems = preflight::problems(&facts, args.build.setup);
        refuse(&problems)?;
    }

    let mut private = None;
    if facts.engine.kind == EngineKind::Private {
        match Private::start(&facts.places, &ui) {
            Ok(engine) => private = Some(engine),
            Err(error) if may_go_without(&facts, args) => {
                interrupt::check()?;
                ui.notice(&format!("{error:#}"));
                facts = Facts::gather(repo, args, Some(EngineKind::Host))?;
                facts.engine.notices.push("no container engine can run here: building with engine host, whose ISO is never released".into());
                let lacking = std::mem::take(&mut facts.missing);
                refuse(&preflight::problems(&facts, args.build.setup))?;
                if args.build.setup { setup::install(&lacking, &ui)? } else if !lacking.is_empty() { refuse(&[setup::problem(&lacking)])? }
            }
            Err(error) => return Err(error),
        }
    }
    for notice in &facts.engine.notices {
        ui.notice(notice);
    }
    mirror::announce(&facts.mirror.mirror, &ui);
    let network = private.as_ref().map_or(Network::Bridge, |p| p.network);
    build(&facts, network, args, &ui, begun)
}

/// With `auto`, a private engine that will not start is no reason to give up on the canary.
fn may_go_without(facts: &Facts, args: &IsoArgs) -> bool {
    args.build.engine == EngineChoice::Auto && facts.recipe.needs.engines.contains(&EngineKind::Host)
}

fn build(facts: &Facts, network: Network, args: &IsoArgs, ui: &Ui, begun: Instant) -> Result<()> {
    let beside = facts.output.parent().unwrap_or(Path::new("/"));
    sweep(beside, facts.engine.client.as_ref(), &facts.repo, ui)?;
    let image_id = match &facts.engine.client {
        Some(client) => Some(ensure_image(facts, client, network, args.build.setup, ui)?),
        None => {
            let cache = facts.repo.state().join("apt-cache");
            fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
            None
        }
    };

    let folders = Folders::new(facts);
    let run = plan::run(facts, &folders, network)?;
    let mut log = Log::create(&folders.log)?;
    let mut work = WorkFolder::create(&folders.work, &notes(&facts.repo), facts.host.caller)?;
    let _container = match &run {
        Run::Container { client, container } => {
            let path = facts.paths.translate(&folders.work)?;
            work.set_janitor(Janitor { client: client.clone(), image: container.image.clone(), path });
            Some(Remover { client, name: &container.name })
        }
        Run::Host(_) => None,
    };

    let stages = run::run(&run, &facts.recipe, &folders.out(), ui, &mut log)?;
    work.give_to(facts.host.caller, facts.host.uid)?;
    let out = folders.out();
    let made = out.join(&facts.recipe.iso);
    if !fs::symlink_metadata(&made).is_ok_and(|meta| meta.is_file() && meta.len() > 0) {
        let what = format!("recipe {} ended well, but left no ISO: expected {}", facts.recipe.name, facts.recipe.iso);
        return Err(log.failure(&what));
    }
    let (digest, size) = hash::file(&made)?;
    let iso = Iso { digest, size };

    let result = folders.work.join("result");
    fs::create_dir(&result).with_context(|| format!("cannot make {}", result.display()))?;
    fs::rename(&made, result.join(&facts.recipe.iso)).context("cannot move the ISO to the result")?;
    let run_facts = RunFacts {
        started: facts.now,
        seconds: begun.elapsed().as_secs_f64(),
        engine_version: facts.engine.client.as_ref().and_then(|c| c.version().ok()),
        image_id,
        command: run.cmd().to_string(),
    };
    records::write(facts, &out, &result, &iso, &stages, &run_facts)?;
    keep_log(&mut log, &result)?;
    work.give_to(facts.host.caller, facts.host.uid)?;
    interrupt::check()?;
    work.publish(&result, &folders.output)?;

    let path = folders.output.join(&facts.recipe.iso);
    if args.build.json {
        let result = serde_json::json!({
            "recipe": facts.recipe.name, "iso": path, "sha256": iso.digest.hex(), "size": iso.size,
            "output": folders.output, "engine": facts.engine.kind.name(),
            "commit": facts.source.commit.to_string(), "dirty": facts.source.dirty,
            "apt_pinned": facts.mirror.mirror.pinned(), "source_date_epoch": facts.epoch.seconds,
            "seconds": begun.elapsed().as_secs_f64(),
        });
        println!("{result:#}");
    } else {
        println!("{}  {}", iso.digest.hex(), path.display());
    }
    Ok(())
}

/// The argv that would make the image, where it would be made here.
fn image_build(facts: &Facts, network: &Network) -> Option<String> {
    let BuilderImage::Local(inputs) = &facts.image else { return None };
    let client = facts.engine.client.as_ref()?;
    let plan = image_plan(facts, inputs);
    Some(plan.describe(client, *network))
}

fn image_plan(facts: &Facts, inputs: &image::Inputs) -> image::build::Plan {
    image::build::Plan::new(&facts.repo, inputs.clone(), facts.pin.clone(), facts.mirror.mirror.clone())
}

/// The image's id on the engine, after building or pulling it where that is wanted.
fn ensure_image(facts: &Facts, client: &Client, network: Network, setup: bool, ui: &Ui) -> Result<String> {
    let name = facts.image.name(client);
    if let Some(id) = client.image_id(&name)? {
        return Ok(id);
    }
    let ways = || image::ways_on(client.kind, &facts.repo.build_sh());
    match &facts.image {
        BuilderImage::Local(inputs) if setup => {
            image_plan(facts, inputs).execute(client, network, ui)?;
        }
        BuilderImage::Local(_) => refuse(&[Problem::new(format!("no builder image: {name} is not built"), ways())])?,
        BuilderImage::Named(_) => {
            let pull = client.pull(&name);
            ui.command(&pull);
            let probe = pull.probe()?;
            interrupt::check()?;
            if !probe.exit.ok() {
                let why = probe.stderr.lines().last().unwrap_or("no reason given").trim().to_owned();
                refuse(&[Problem::new(format!("the builder image {name} cannot be pulled: {why}"), ways())])?;
            }
        }
    }
    client.image_id(&name)?.with_context(|| format!("{} has no {name}", client.program()))
}

/// Removes the container, should it outlive its client.
struct Remover<'a> {
    client: &'a Client,
    name: &'a str,
}

impl Drop for Remover<'_> {
    fn drop(&mut self) {
        // an engine that died took the container with it, or keeps it for the next sweep
        drop(self.client.remove(self.name));
    }
}

fn keep_log(log: &mut Log, result: &Path) -> Result<()> {
    log.flush()?;
    let logs = result.join("logs");
    fs::create_dir(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    fs::copy(log.path(), logs.join("build.log")).context("cannot keep the log")?;
    fs::remove_file(log.path()).context("cannot move the log")
}

/// Where live work folders are noted.
fn notes(repo: &Repo) -> PathBuf {
    repo.state().join("runs")
}

/// Removes what killed runs of this checkout left, here and wherever their results were to go:
/// containers first, then work folders. Returns how many it removed.
fn sweep(outputs: &Path, client: Option<&Client>, repo: &Repo, ui: &Ui) -> Result<usize> {
    let mut folders = work::noted(&notes(repo));
    folders.push(outputs.to_owned());
    let live: Vec<String> = folders.iter().flat_map(|dir| work::live(dir)).collect();
    let mut count = 0;
    for name in client.map_or(Ok(Vec::new()), |c| c.containers_of(&checkout_id(&repo.root)))? {
        let id = name.strip_prefix("silvermetal-").unwrap_or(&name);
        if let Some(client) = client.filter(|_| !live.iter().any(|l| l == id)) {
            client.remove(&name)?;
            ui.notice(&format!("removed container {name}, left by a killed run"));
            count += 1;
        }
    }
    for dir in folders {
        let swept = work::sweep(&dir);
        for id in &swept.runs {
            ui.notice(&format!("removed the work folder of {id}, left by a killed run"));
        }
        for what in &swept.stuck {
            ui.notice(what);
        }
        count += swept.runs.len();
    }
    work::forget_gone(&notes(repo));
    Ok(count)
}

/// `cargo xtask clean`
pub(crate) fn clean(repo: &Repo, args: &crate::cli::CleanArgs) -> Result<()> {
    let ui = Ui::new(false);
    let places = Places::of(repo);
    let mut count = 0;
    let engines = [Client::new(EngineKind::Docker, None), Client::new(EngineKind::Podman, None)];
    for client in engines {
        if crate::exec::on_path(client.program()).is_none() || client.version().is_err() {
            continue;
        }
        count += sweep(&repo.output(), Some(&client), repo, &ui)?;
        if (args.volumes || args.all) && client.cmd().args(["volume", "rm", CACHE_VOLUME]).succeeds() {
            ui.notice(&format!("removed volume {CACHE_VOLUME} ({})", client.kind));
            count += 1;
        }
    }
    count += sweep(&repo.output(), None, repo, &ui)?;
    if crate::engine::private::clean(&places)? {
        ui.notice("stopped the private engine, left by a killed run");
        count += 1;
    }
    if args.volumes || args.all {
        for dir in [places.dir.join("data/volumes"), repo.state().join("apt-cache")] {
            count += usize::from(remove(&dir, &ui)?);
        }
    }
    if args.all {
        count += usize::from(remove(&repo.state(), &ui)?);
    }
    if count == 0 {
        ui.print("nothing to clean");
    }
    Ok(())
}

fn remove(dir: &Path, ui: &Ui) -> Result<bool> {
    if !dir.exists() {
        return Ok(false);
    }
    fs::remove_dir_all(dir)
        .map_err(|error| Code::Failed.error(format!("cannot remove {}: {error}", dir.display())))?;
    ui.notice(&format!("removed {}", dir.display()));
    Ok(true)
}
