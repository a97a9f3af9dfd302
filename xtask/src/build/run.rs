//! Runs the one long command of a build, and hashes the artefacts of each stage.

use super::plan::Run;
use super::watch::Watch;
use crate::build::records::StageRecord;
use crate::build::records::earlier::EarlierBuild;
use crate::build::records::tree;
use anyhow::{Context as _, Result};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use xtask_core::exec::Exit;
use xtask_core::hash;
use xtask_core::interrupt;
use xtask_core::log::Log;
use xtask_core::recipe::{Recipe, Stage};
use xtask_core::records::TREE;
use xtask_core::records::ledger::Artefact;
use xtask_core::records::manifest::Manifest;
use xtask_core::ui::{StageProgress as ShownStage, StageTitle, Ui};

/// Start of a line that begins a stage. It is part of the contract with a recipe's entry.
const STAGE_MARK: &str = "@@stage ";
/// Parts of lines that linux/build/docker/approx/patient-curl sends to the console, and what the user is told, once
/// each.
const ARCHIVE: [(&str, &str); 2] = [
    (
        "the package archive throttles (",
        "the package archive throttles: the build waits as long as it asks",
    ),
    (
        "the package archive is not reached (",
        "the package archive was not reached once: the build asks it again",
    ),
];

/// The current stage, and the finished ones.
struct Progress<'a> {
    recipe: &'a Recipe,
    out: &'a Path,
    earlier: Option<&'a EarlierBuild>,
    watch: Option<&'a Watch>,
    ui: &'a Ui,
    current: Option<(String, Instant)>,
    shown: Option<ShownStage<'a>>,
    done: Vec<(String, Duration, Hashing)>,
    /// True for each line of [`ARCHIVE`] that the user was told.
    told: [bool; ARCHIVE.len()],
}

/// Hashes the artefacts of a stage. Returns them with the time that this took.
type Hashing = JoinHandle<Result<(Artefacts, Duration)>>;
/// Artefacts, and the manifests of those that are trees.
type Artefacts = (Vec<Artefact>, Vec<(String, Manifest)>);

/// How the command ended, with the stages that did.
pub(crate) enum RunEnd {
    Finished(Vec<StageRecord>),
    /// The watch stopped it, in this stage, after this time in it.
    Halted(Vec<StageRecord>, String, Duration),
}

/// Runs the command to its end, or until `watch` stops it. An error names the stage, the last lines and
/// the log.
pub(crate) fn run(
    run: &Run,
    recipe: &Recipe,
    earlier: Option<&EarlierBuild>,
    out: &Path,
    watch: Option<&Watch>,
    ui: &Ui,
    log: &mut Log,
) -> Result<RunEnd> {
    let cmd = run.cmd();
    log.remark(&format!("$ {cmd}"))?;
    let shown = Some(ui.stage("start"));
    ui.command(&cmd);
    let mut progress = Progress {
        recipe,
        earlier,
        out,
        watch,
        ui,
        current: None,
        shown,
        done: Vec::new(),
        told: [false; ARCHIVE.len()],
    };
    let halt = watch.map(|watch| watch.halt().clone()).unwrap_or_default();
    let exit = cmd.stream_until(&halt, &run.stop_by(), |line| {
        log.line(line)?;
        match line.strip_prefix(STAGE_MARK) {
            Some(name) => progress.enter(name.trim())?,
            None => progress.line(line),
        }
        Ok(())
    });
    let exit = exit.map(|exit| run.ended(exit));
    let ok = exit.as_ref().is_ok_and(|exit| exit.ok());
    let halted = !ok && halt.wanted();
    if let Some(shown) = progress.shown.take() {
        // a stage that was stopped has not failed
        shown.end(ok || halted);
    }
    interrupt::check()?;
    if halted {
        let (stage, since) =
            progress.current.take().unwrap_or_else(|| ("start".into(), Instant::now()));
        let took = since.elapsed();
        let stages = progress.collect().map_err(|error| log.failure(&format!("{error:#}")))?;
        return Ok(RunEnd::Halted(stages, stage, took));
    }
    let exit = match exit {
        Ok(exit) => exit,
        Err(error) => return Err(error.context(progress.place())),
    };
    if !ok {
        return Err(log.failure(&why(&progress.place(), exit, run)));
    }
    let place = progress.place();
    progress.leave();
    let stages = progress.collect().map_err(|error| log.failure(&format!("{place}: {error:#}")))?;
    Ok(RunEnd::Finished(stages))
}

impl Progress<'_> {
    fn line(&mut self, line: &str) {
        self.ui.line(line);
        for ((part, notice), told) in ARCHIVE.iter().zip(&mut self.told) {
            if line.contains(part) && !std::mem::replace(told, true) {
                self.ui.notice(notice);
            }
        }
    }

    fn enter(&mut self, name: &str) -> Result<()> {
        self.leave();
        if let Some(shown) = self.shown.take() {
            shown.end(true);
        }
        let stages = &self.recipe.stages;
        let place = stages.iter().position(|stage| stage.name == name);
        self.shown = Some(self.ui.stage(StageTitle {
            name: name.to_owned(),
            place: place.map(|at| (at + 1, stages.len())),
            about: self.earlier.and_then(|earlier| earlier.stage(name)),
        }));
        self.current = Some((name.to_owned(), Instant::now()));
        Ok(())
    }

    /// Ends the current stage, and hashes its artefacts while the next stage works.
    fn leave(&mut self) {
        let Some((name, since)) = self.current.take() else { return };
        let stage = self.recipe.stages.iter().find(|s| s.name == name).cloned();
        let out = self.out.to_owned();
        let watch = self.watch.cloned();
        let hashing = std::thread::spawn(move || {
            let since = Instant::now();
            let artefacts = stage
                .as_ref()
                .map_or(Ok(Artefacts::default()), |stage| artefacts_of(stage, &out))?;
            if let (Some(watch), Some(stage)) = (watch, stage) {
                watch.stage(&stage.name, &artefacts.0);
            }
            Ok((artefacts, since.elapsed()))
        });
        self.done.push((name, since.elapsed(), hashing));
    }

    fn place(&self) -> String {
        match &self.current {
            Some((name, _)) => format!("stage {name}"),
            None => "before the first stage".to_owned(),
        }
    }

    fn collect(self) -> Result<Vec<StageRecord>> {
        let mut records = Vec::new();
        for (name, took, hashing) in self.done {
            let joined =
                hashing.join().map_err(|_| anyhow::anyhow!("hashing stage {name} panicked"))?;
            let ((artefacts, manifests), hashed) = joined?;
            records.push(StageRecord { name, took, hashed, artefacts, manifests });
        }
        Ok(records)
    }
}

fn artefacts_of(stage: &Stage, out: &Path) -> Result<Artefacts> {
    let (mut artefacts, mut manifests) = Artefacts::default();
    for path in &stage.produces {
        let file = out.join(path);
        let hashed = if path.ends_with(TREE) {
            tree::of_tar(&file).map(|(digest, size, manifest)| {
                manifests.push((path.clone(), manifest));
                (digest, size)
            })
        } else {
            hash::file(&file)
        };
        let (digest, size) = hashed.with_context(|| {
            format!("stage {} did not produce {path}, which recipe.toml lists", stage.name)
        })?;
        artefacts.push(Artefact { stage: stage.name.clone(), digest, size, path: path.clone() });
    }
    Ok((artefacts, manifests))
}

/// Distinguishes a failure of the recipe from one of the engine, by the exit code of `docker run`.
fn why(place: &str, exit: Exit, run: &Run) -> String {
    let client = match run {
        Run::Container { client, .. } => client,
        Run::Host(_) => return format!("{place} failed ({exit})"),
        Run::Vm(vm) => {
            return match vm.last_words() {
                Some(words) => format!("{place}: the machine ended ({exit}); its kernel:\n{words}"),
                None => format!("{place} failed ({exit})"),
            };
        }
    };
    match exit {
        Exit::Code(125) => {
            format!("{place}: {} could not run the container, or lost it ({exit})", client.kind)
        }
        Exit::Code(126 | 127) => {
            format!("{place}: the builder could not start the recipe's entry ({exit})")
        }
        Exit::Code(129 | 130) => {
            format!("{place}: the container was shut down from outside ({exit})")
        }
        Exit::Code(137) => {
            format!("{place}: the container was killed, perhaps for want of memory ({exit})")
        }
        other => format!("{place} failed ({other})"),
    }
}
