//! `cargo xtask doctor`: examines the machine, the engine, the registries and the container
//! contract in one run. Rules that need only files belong to `check`.

mod contract;
mod contract_findings;
mod docker_config;
mod engine;
mod machine;
mod pins;
mod release;
pub(crate) mod report;
mod runner;
mod server;

use crate::build::{BuildFacts, BuildRequest, RecipeArgs};
use crate::engine::{EngineChoice, EngineKind};
use anyhow::Result;
use clap::ValueEnum as _;
use report::DoctorReport;
use std::path::PathBuf;
use xtask_core::exec::quoted;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, Problem};
use xtask_core::rules::DOCTOR;
use xtask_core::ui::{Tone, Ui, answer_in, ci_commands};
use xtask_core::{apt, ci, interrupt, json};

const EXAMPLES: &str = "\
Examples:
  cargo xtask doctor                      everything that the build of the product needs
  cargo xtask doctor canary --setup       install what is missing, and look inside a container
  cargo xtask doctor --engine docker --json";

/// Check the machine, the engine, the registries and, inside the builder, the container contract
///
/// All checks run, whatever the others found. The exit code is 3 if something is not ready.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    what: RecipeArgs,
    /// Folder that the result of a build would go to [default: as for iso]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// The build that was asked about.
fn next_command(args: &DoctorArgs) -> String {
    let recipe = quoted(&args.what.recipe);
    let engine = args.what.build.engine;
    match engine.to_possible_value() {
        Some(name) if engine != EngineChoice::Auto => {
            format!("cargo xtask iso {recipe} --engine {}", name.get_name())
        }
        _ => format!("cargo xtask iso {recipe}"),
    }
}

/// `cargo xtask doctor`
pub(crate) fn command(repo: &Repo, args: &DoctorArgs) -> Result<()> {
    let build = &args.what.build;
    let ui = Ui::new(build.verbose);
    let iso = BuildRequest {
        what: args.what.clone(),
        output: args.output.clone(),
        save_inputs: None,
        candidate: None,
    };
    let mut report = DoctorReport::default();
    match BuildFacts::gather(repo, &iso) {
        Err(error) if Code::of(&error) == Code::Usage => return Err(error),
        Err(error) => {
            report.broken(Problem::new(
                format!("{error:#}"),
                "cargo xtask check names every fault of the files",
            ));
            skip_rest(&mut report, "the checkout's files cannot be read");
        }
        Ok(mut facts) => {
            if build.dry_run {
                let problems = crate::build::problems(&facts, build.setup);
                return contract::describe(&facts)?.show("doctor", &problems, build.shown());
            }
            let installs = build.setup && apt::problem(&facts.missing, true).is_none();
            if installs && !facts.missing.is_empty() {
                apt::install(&facts.missing, &ui)?;
                facts = facts.again(facts.engine.kind)?;
            }
            if let Some(vm) = facts.vm.as_ref().filter(|vm| installs && vm.kernels.is_empty()) {
                vm.prepare(&ui)?;
                facts = facts.again(facts.engine.kind)?;
            }
            if build.setup && facts.engine.client.is_some() {
                facts.places.note_setup(facts.engine.kind)?;
            }
            look(&facts, build.setup, &ui, &mut report)?;
        }
    }
    if build.json {
        json::print(&report.json());
    } else {
        report.print(build.verbose);
    }
    let findings = match report.findings() {
        0 => {
            if !build.json {
                answer_in(Tone::Good, &report.all_is_well(&next_command(args)), "");
            }
            return Ok(());
        }
        1 => "1 finding".to_owned(),
        n => format!("{n} findings"),
    };
    if ci::is_ci() {
        report.annotations().iter().for_each(|line| ci_commands(line, true));
    }
    Err(Code::NotReady
        .error(format!("not ready: {findings}; do what `fix:` says, and run doctor again")))
}

fn look(facts: &BuildFacts, setup: bool, ui: &Ui, report: &mut DoctorReport) -> Result<()> {
    let _shown = ui.wait("asking engine, registries and mirrors");
    // the network may be slow: ask the engine at the same time
    let pins = std::thread::scope(|scope| {
        let pins = scope.spawn(|| {
            let ui = Ui::new(false);
            let mut report = pins::look(facts, &ui);
            server::look(&facts.repo, &ui, &mut report);
            report
        });
        runner::look(&facts.repo, report);
        machine::look(facts, setup, report);
        docker_config::look(facts, report);
        release::look(facts, ui, report);
        if facts.engine.kind == EngineKind::Host {
            report.skip_engine_rules("engine host runs no container");
        } else if facts.engine.kind == EngineKind::Vm {
            report.skip_engine_rules("engine vm runs no container, and doctor starts no machine");
        } else {
            engine::look(facts, setup, ui, report);
        }
        pins.join()
    });
    interrupt::check()?;
    match pins {
        Ok(pins) => report.take(pins),
        Err(_) => anyhow::bail!("asking the registries panicked"),
    }
    skip_rest(report, "a problem above it in this list must be solved first");
    Ok(())
}

/// Skips all rules that have no state yet, because of `why`.
fn skip_rest(report: &mut DoctorReport, why: &str) {
    for rule in DOCTOR.iter().filter(|rule| !report.knows(rule.name)).collect::<Vec<_>>() {
        report.skipped(rule.name, why);
    }
}
