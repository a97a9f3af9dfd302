//! `cargo xtask iso`: gather, plan, preflight, build, publish.

mod build;
mod facts;
mod plan;
mod preflight;
mod run;
pub(crate) mod work;

pub(crate) use facts::{EpochFrom, Facts};
pub(crate) use plan::{CACHE_VOLUME, checkout_id};

use crate::cli::IsoArgs;
use crate::engine::container::Network;
use crate::engine::private::Private;
use crate::engine::{EngineChoice, EngineKind};
use crate::facts::mirror;
use crate::facts::repo::Repo;
use crate::failure::{listing, refuse};
use crate::ui::{Ui, answer};
use crate::{interrupt, setup};
use anyhow::Result;
use plan::Folders;
use std::time::Instant;

/// `cargo xtask iso`
pub(crate) fn command(repo: &Repo, args: &IsoArgs) -> Result<()> {
    let ui = Ui::new(args.build.verbose);
    let begun = Instant::now();
    let facts = Facts::gather(repo, args, None)?;
    if args.build.dry_run {
        return dry_run(&facts, args, &ui);
    }
    let ready = make_ready(facts, repo, args, &ui)?;
    let built = build::build(&ready.facts, ready.network, args.build.setup, begun, &ui)?;
    if args.build.json {
        answer(format_args!("{:#}", built.json(&ready.facts)));
    } else {
        answer(format_args!("{}  {}", built.digest.hex(), built.path.display()));
    }
    Ok(())
}

fn dry_run(facts: &Facts, args: &IsoArgs, ui: &Ui) -> Result<()> {
    let folders = Folders::new(facts);
    let run = plan::run(facts, &folders, Network::Bridge)?;
    let image = build::describe_image(facts, Network::Bridge);
    answer(format_args!("{}", plan::describe(facts, &folders, &run, image.as_deref())));
    let problems = preflight::problems(facts, args.build.setup);
    if !problems.is_empty() {
        ui.print(&listing(&problems));
    }
    Ok(())
}

/// Facts that hold, on an engine that runs.
struct Ready {
    facts: Facts,
    network: Network,
    /// Stops when dropped.
    _engine: Option<Private>,
}

/// Refuses with every problem, or mends what `--setup` can and starts the engine.
fn make_ready(mut facts: Facts, repo: &Repo, args: &IsoArgs, ui: &Ui) -> Result<Ready> {
    refuse(&preflight::problems(&facts, args.build.setup))?;
    if !facts.missing.is_empty() {
        setup::install(&facts.missing, ui)?;
        // the same engine, even if installing its packages started another one
        facts = Facts::gather(repo, args, Some(facts.engine.kind))?;
        refuse(&preflight::problems(&facts, args.build.setup))?;
    }
    let mut engine = None;
    if facts.engine.kind == EngineKind::Private {
        match Private::start(&facts.places, ui) {
            Ok(started) => engine = Some(started),
            Err(error) if may_go_without(&facts, args) => {
                interrupt::check()?;
                ui.notice(&format!("{error:#}"));
                facts = without_engine(repo, args, ui)?;
            }
            Err(error) => return Err(error),
        }
    }
    for notice in &facts.engine.notices {
        ui.notice(notice);
    }
    mirror::announce(&facts.mirror.mirror, ui);
    let network = engine.as_ref().map_or(Network::Bridge, |engine| engine.network);
    Ok(Ready { facts, network, _engine: engine })
}

/// With `auto`, a private engine that will not start is no reason to give up on the canary.
fn may_go_without(facts: &Facts, args: &IsoArgs) -> bool {
    args.build.engine == EngineChoice::Auto && facts.recipe.needs.engines.contains(&EngineKind::Host)
}

fn without_engine(repo: &Repo, args: &IsoArgs, ui: &Ui) -> Result<Facts> {
    let mut facts = Facts::gather(repo, args, Some(EngineKind::Host))?;
    refuse(&preflight::problems(&facts, args.build.setup))?;
    setup::install(&facts.missing, ui)?;
    facts.engine.notices.push(crate::engine::HOST_NOTICE.to_owned());
    Ok(facts)
}
