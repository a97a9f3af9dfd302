//! `cargo xtask verify`: builds one commit twice, and compares the two ISOs.

mod against;
mod args;
mod bisect;
mod compare_outputs;
mod fail_fast;
mod report;
mod resume;
mod varying;

pub(crate) use args::VerifyArgs;

use crate::build::earlier::EarlierBuild;
use crate::build::{self, BuildFacts, BuildRequest, OccupiedFolder, Ready};
use crate::build::{BuildEnd, BuildSide, HaltedBuild, ScratchFolder, StageComparison};
use crate::engine::vm::Measured;
use crate::engine::{EngineChoice, EngineKind};
use anyhow::{Context as _, Result, anyhow};
use fail_fast::{StopFacts, Stopped};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use varying::Varied;
use xtask_core::escape::Shown as _;
use xtask_core::facts::host::DiskSpace;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, in_context, refuse};
use xtask_core::hash;
use xtask_core::interrupt;
use xtask_core::record_file;
use xtask_core::records::ledger::Ledger;
use xtask_core::records::published::Published;
use xtask_core::records::verdict::{BuildDifference, Verdict};
use xtask_core::replace::{BUILD_RECORDS, Protected};
use xtask_core::ui::Ui;

const GIB: u64 = 1 << 30;
const B_FAILED: &str = "build B failed; build A is kept: pass --resume to go on with it";
const B_INTERRUPTED: &str = "interrupted; build A is kept: pass --resume to go on with it";
const ONLY_A_FAILED: &str = "build A failed; build B is kept: pass --resume to go on with it";

/// Folders of a verify.
struct VerifyFolders {
    out: PathBuf,
    a: PathBuf,
    b: PathBuf,
}

/// `cargo xtask verify`
pub(crate) fn command(repo: &Repo, args: &VerifyArgs) -> Result<()> {
    let ui = Ui::new(args.what.build.verbose);
    let begun = Instant::now();
    if let [a, b] = &args.compare[..] {
        return compare_outputs::command(args, a, b);
    }
    let request =
        BuildRequest { what: args.what.clone(), output: None, save_inputs: None, candidate: None };
    let mut facts = BuildFacts::gather(repo, &request)?;
    let may = facts.recipe.needs.engines.contains(&EngineKind::Vm);
    if may && args.what.build.engine == EngineChoice::Auto && args.vary.needs_a_machine() {
        // both builds: if only B had a machine of its own, the engine would be another, too
        facts = facts.again(EngineKind::Vm)?;
    }
    if let Some(published) = &args.against {
        return against::command(repo, args, published, facts, &ui);
    }
    let out = match &args.output {
        Some(dir) => std::path::absolute(dir).context("--output").or_exit(Code::Usage)?,
        None => {
            let name = facts.output.file_name().unwrap_or_default().to_string_lossy().into_owned();
            repo.output().join(format!("verify-{name}"))
        }
    };
    let places = VerifyFolders { a: out.join("build-a"), b: out.join("build-b"), out };
    let facts = facts.with_output(&places.a)?;
    if args.what.build.dry_run {
        return dry_run(args, &facts, &places);
    }
    refuse(&problems(args, &facts, &places))?;

    let _alone = OccupiedFolder::enter(&places.out, facts.host.caller)?;
    let kept = if args.resume { resume::finished(&places.a, &places.b, &facts, &ui) } else { None };
    let mut first = Ready::new(facts, &ui)?;
    let mut varied = Varied::on(&args.vary, &first.facts);
    varied.announce(&ui);
    // now, because a problem of build B must not wait until build A is finished
    let mut second = first.again(&places.b, varied.conditions())?;
    // no older verdict may remain beside newer builds
    for old in report::NAMES {
        remove_if_exists(&places.out.join(old))?;
    }
    let watching = if args.stops_early() { Some(first.artefact_folder()?) } else { None };
    let usual = EarlierBuild::like(&first.facts);
    let stopped = if kept.is_none() && jobs(args.jobs, &first.facts, &ui) == 2 {
        at_once(args, &mut first, &mut second, watching.as_ref(), begun, &ui)?
    } else {
        let artefacts = |side| watching.as_ref().map(|kept| kept.of(side));
        if kept.is_none() {
            ui.print("build A");
            let a = StageComparison::new().watch(BuildSide::A, artefacts("a"));
            let a = Some(&a).filter(|_| watching.is_some());
            first
                .build_watched(a, begun, &ui)
                .map_err(|error| in_context(error, "build A failed"))?;
        }
        make_room(&first.facts, artefacts("a"), &ui);
        ui.print("build B");
        let watch = match watching {
            None => None,
            Some(_) => {
                let ledger = Ledger::read(&places.a.join("ledger"))?;
                Some(StageComparison::with(&ledger).watch(BuildSide::B, artefacts("b")))
            }
        };
        // with today's facts: the checkout or the disk may have changed during build A
        let second = first.again(&places.b, varied.conditions());
        let b = second
            .and_then(|second| second.build_watched(watch.as_ref(), Instant::now(), &ui))
            .map_err(|error| match Code::of(&error) {
                Code::Interrupted => Code::Interrupted.error(B_INTERRUPTED),
                _ => error.context(B_FAILED),
            })?;
        Stopped { a: None, b: b.halted() }
    };
    let measured = [measured(&stopped.a, &places.a), measured(&stopped.b, &places.b)];
    varied.confirm([measured[0].as_ref(), measured[1].as_ref()]);
    let mut conclusion = Conclusion::new(args, &places, &varied, begun, stopped)?;
    conclusion.measured = measured;
    let verdict = conclusion.verdict()?;
    if let (Verdict::Differs(difference), Some(kept), true) =
        (&verdict, &watching, conclusion.stopped.any())
    {
        let whole =
            if conclusion.stopped.a.is_none() { EarlierBuild::like(&first.facts) } else { usual };
        let [of_a, of_b] = [&conclusion.stopped.a, &conclusion.stopped.b].map(Option::is_some);
        for (dir, _) in [(&places.a, of_a), (&places.b, of_b)].iter().filter(|(_, gone)| *gone) {
            fail_fast::remove_older(dir);
        }
        let facts = conclusion.stopped.facts(
            repo,
            &conclusion.records,
            difference,
            kept,
            whole.as_ref(),
            &ui,
        )?;
        conclusion.stop_facts = Some(facts);
    }
    drop(watching);
    let guilty = match (&verdict, args.bisect) {
        (Verdict::Differs(difference), true) if difference.inputs.is_empty() => {
            Some(bisect::guilty(&first, &varied, args.stops_early(), &ui)?)
        }
        _ => None,
    };
    conclusion.say(&verdict, guilty.as_ref())
}

/// Removes build A's artefacts if build B needs their place on the disk. They only serve a diagnosis.
fn make_room(facts: &BuildFacts, artefacts: Option<PathBuf>, ui: &Ui) {
    let Some(dir) = artefacts.filter(|dir| dir.exists()) else { return };
    let free = DiskSpace::holding(&facts.output).map_or(0, |disk| disk.free);
    if free < facts.recipe.needs.disk_gib * GIB && fs::remove_dir_all(dir).is_ok() {
        ui.notice("the disk is short: the trees of build A are not kept for a diagnosis");
    }
}

/// Problems of build A, and of the folder for the report.
fn problems(args: &VerifyArgs, facts: &BuildFacts, places: &VerifyFolders) -> Vec<Problem> {
    let mut found = build::problems(facts, args.what.build.setup);
    let more = report::in_the_way(&places.out).filter(|problem| !found.contains(problem));
    found.extend(more);
    if args.bisect {
        let protected = Protected::here(&facts.repo.root);
        found.extend(protected.problem(&bisect::folder(&places.a), &BUILD_RECORDS));
    }
    found
}

/// Prints the plan of both builds.
fn dry_run(args: &VerifyArgs, facts: &BuildFacts, places: &VerifyFolders) -> Result<()> {
    let mut second = facts.with_output(&places.b)?;
    let varied = Varied::on(&args.vary, &second);
    second.conditions = varied.conditions();
    let mut plan = build::describe(facts)?;
    let how = match &varied.names()[..] {
        [] => "under the same conditions".to_owned(),
        names => format!("with another {}", names.join(", ")),
    };
    plan.line("build B", format!("the same, {how}: {}", places.b.shown()));
    for line in varied.left_out() {
        plan.line("not varied", line);
    }
    plan.line("report", places.out.join("verify.json").shown().to_string());
    plan.steps_of("build B", &build::describe(&second)?);
    let setup = args.what.build.setup;
    let mut problems = problems(args, facts, places);
    let of_b = build::problems(&second, setup);
    problems.extend(of_b.into_iter().filter(|p| !problems.contains(p)).collect::<Vec<_>>());
    plan.show("verify", &problems, args.what.build.shown())
}

/// Compares the two builds, and reports the verdict.
struct Conclusion<'a> {
    args: &'a VerifyArgs,
    places: &'a VerifyFolders,
    varied: &'a Varied,
    begun: Instant,
    stopped: Stopped,
    records: [Published; 2],
    stop_facts: Option<StopFacts>,
    /// Facts that both builds measured inside.
    measured: [Option<Measured>; 2],
}

impl<'a> Conclusion<'a> {
    fn new(
        args: &'a VerifyArgs,
        places: &'a VerifyFolders,
        varied: &'a Varied,
        begun: Instant,
        stopped: Stopped,
    ) -> Result<Conclusion<'a>> {
        let records = stopped.records([&places.a, &places.b])?;
        let (stop_facts, measured) = (None, [None, None]);
        Ok(Conclusion { args, places, varied, begun, stopped, records, stop_facts, measured })
    }

    fn verdict(&self) -> Result<Verdict> {
        let _shown = Ui::new(false).wait("comparing the two builds");
        let [a, b] = &self.records;
        if self.stopped.any() {
            return Ok(Verdict::Differs(Box::new(BuildDifference::between(a, b)?)));
        }
        judge(a, b)
    }

    /// A line for each build that measured what it had inside.
    fn measured_text(&self) -> String {
        let line = |(name, of): (&str, &Option<Measured>)| {
            let of = of.as_ref()?;
            let (date, kernel, cpu) = (of.date.shown(), of.kernel.shown(), of.cpu.shown());
            Some(format!("inside build {name}: {date}, kernel {kernel}, {} CPU {cpu}\n", of.cpus))
        };
        ["A", "B"].into_iter().zip(&self.measured).filter_map(line).collect()
    }

    fn say(&self, verdict: &Verdict, guilty: Option<&bisect::Guilty>) -> Result<()> {
        let ([a, b], out) = (&self.records, &self.places.out);
        let next = match &self.stop_facts {
            Some(_) => fail_fast::next_step(self.args, &self.stopped),
            None => report::next_step(a, b),
        };
        let mut text = report::text(verdict, out, &next);
        text += &self.stop_facts.as_ref().map(StopFacts::text).unwrap_or_default();
        text += &self.varied.text();
        text += &self.measured_text();
        text += &guilty.map(|guilty| format!("{guilty}\n")).unwrap_or_default();
        let folder = |build: &Published, halted: &Option<HaltedBuild>| {
            halted.is_none().then(|| build.dir.to_string_lossy().into_owned())
        };
        let facts = json!({
            "recipe": a.info.get("Recipe"),
            "commit": a.info.get("Commit"),
            "engine": a.info.get("Engine"),
            "a": folder(a, &self.stopped.a),
            "b": folder(b, &self.stopped.b),
            "stopped": self.stop_facts.as_ref().map(StopFacts::value),
            "varied": self.varied.names(),
            "not_varied": self.varied.left_out(),
            "measured": {
                "a": self.measured[0].as_ref().map(Measured::value),
                "b": self.measured[1].as_ref().map(Measured::value),
            },
            "guilty": guilty.and_then(bisect::Guilty::factor),
            "seconds": self.begun.elapsed().as_secs_f64(),
        });
        let value = report::json(verdict, facts);
        report::keep(out, &text, &value)?;
        report::say(&text, &value, self.args.what.build.json);
        match verdict {
            Verdict::Identical { .. } => share_the_image(a, b),
            Verdict::Differs(_) => Err(Code::No
                .error(format!("the two builds differ: {}", out.join("verify.txt").shown()))),
        }
    }
}

/// The values that a build measured inside its machine, if it had one.
fn measured(halted: &Option<HaltedBuild>, dir: &Path) -> Option<Measured> {
    if let Some(halted) = halted {
        return halted.measured.clone();
    }
    let record = record_file::read(&dir.join("build.json")).ok()?;
    Measured::of(&serde_json::from_slice::<Value>(&record).ok()?["measured"])
}

/// Compares both images. Each is read once, and its hash must be the one in its own record.
fn judge(a: &Published, b: &Published) -> Result<Verdict> {
    let [(da, size), (db, _)] = hash::both(&a.iso(), &b.iso())?;
    for (build, digest) in [(a, &da), (b, &db)] {
        compare_outputs::check_against_record(build, digest)?;
    }
    if da == db {
        return Ok(Verdict::Identical { digest: da, size });
    }
    Ok(Verdict::Differs(Box::new(BuildDifference::between(a, b)?)))
}

/// Replaces B's image, which is identical to A's, with a hard link to it.
fn share_the_image(a: &Published, b: &Published) -> Result<()> {
    let temporary = b.dir.with_extension(format!("shared-{}", std::process::id()));
    fs::hard_link(a.iso(), &temporary)
        .and_then(|()| fs::rename(&temporary, b.iso()))
        .with_context(|| format!("cannot link {} to {}", b.iso().shown(), a.iso().shown()))
}

/// Runs both builds at the same time, each with half of the CPUs and its own log. With a folder for their
/// artefacts, both stop at the first stage that differs; with --bisect only B, because A is needed.
fn at_once(
    args: &VerifyArgs,
    first: &mut Ready,
    second: &mut Ready,
    watching: Option<&ScratchFolder>,
    begun: Instant,
    ui: &Ui,
) -> Result<Stopped> {
    let cpus = first.facts.host.cpus;
    for ready in [&mut *first, &mut *second] {
        ready.facts.host.cpus = (cpus / 2).max(1);
    }
    first.prepare(ui)?; // or both would build or pull the builder image
    let comparison = if args.bisect { StageComparison::of_b() } else { StageComparison::new() };
    let watch = |side, name| watching.map(|kept| comparison.watch(side, Some(kept.of(name))));
    let [watch_a, watch_b] = [watch(BuildSide::A, "a"), watch(BuildSide::B, "b")];
    let results: [Result<BuildEnd>; 2] = std::thread::scope(|scope| {
        let b = || second.build_watched(watch_b.as_ref(), begun, &ui.of_build("B"));
        let b = scope.spawn(b);
        let a = first.build_watched(watch_a.as_ref(), begun, &ui.of_build("A"));
        [a, b.join().unwrap_or_else(|_| Err(anyhow!("build B panicked")))]
    });
    first.facts.host.cpus = cpus;
    match results {
        [Ok(a), Ok(b)] => Ok(Stopped { a: a.halted(), b: b.halted() }),
        [Err(error), _] | [_, Err(error)] if Code::of(&error) == Code::Interrupted => Err(error),
        [Err(error), Ok(BuildEnd::Built(_))] if second.facts.conditions.varied.is_empty() => {
            Err(error.context(ONLY_A_FAILED))
        }
        [Err(error), Ok(_)] => Err(error.context("build A failed")),
        [Ok(BuildEnd::Built(_)), Err(error)] => Err(error.context(B_FAILED)),
        [Ok(BuildEnd::Halted(_)), Err(error)] => Err(error.context("build B failed")),
        [Err(a), Err(b)] => {
            interrupt::check()?;
            Err(a.context(format!("both builds failed; B: {b:#}\nA")))
        }
    }
}

/// The number of builds at the same time. It is 1 if disk or memory do not suffice for two.
fn jobs(wanted: u8, facts: &BuildFacts, ui: &Ui) -> u8 {
    let needs = &facts.recipe.needs;
    let free = DiskSpace::holding(&facts.output).map_or(0, |disk| disk.free);
    let short = if free < 2 * needs.disk_gib * GIB {
        Some("disk")
    } else if facts.host.memory < 2 * needs.ram_gib * GIB {
        Some("memory")
    } else {
        None
    };
    match short {
        Some(what) if wanted == 2 => {
            ui.notice(&format!("not enough {what} for two builds at once: one after the other"));
            1
        }
        _ => wanted,
    }
}

fn remove_if_exists(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.shown()))
        }
        _ => Ok(()),
    }
}
