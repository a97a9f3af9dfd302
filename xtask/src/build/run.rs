//! Runs the one long command of a build, stage by stage.

use super::plan::Run;
use crate::build::records::StageRecord;
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
use xtask_core::records::ledger::Artefact;
use xtask_core::records::manifest::Manifest;
use xtask_core::ui::Ui;

/// A line with this start says that a stage begins (the contract of a recipe's entry).
const STAGE_MARK: &str = "@@stage ";

/// The stage that is running, and those that are through.
struct Progress<'a> {
    recipe: &'a Recipe,
    out: &'a Path,
    ui: &'a Ui,
    current: Option<(String, Instant)>,
    done: Vec<(String, Duration, Hashing)>,
}

type Hashing = JoinHandle<Result<(Left, Duration)>>;
/// Artefacts, and the manifests of those that are trees.
type Left = (Vec<Artefact>, Vec<(String, Manifest)>);

/// Runs to the end; an error names the stage, the last lines and the log.
pub(crate) fn run(
    run: &Run,
    recipe: &Recipe,
    out: &Path,
    ui: &Ui,
    log: &mut Log,
) -> Result<Vec<StageRecord>> {
    let cmd = run.cmd();
    ui.command(&cmd);
    log.line(&format!("$ {cmd}"))?;
    let mut progress = Progress { recipe, out, ui, current: None, done: Vec::new() };
    ui.begin("start");
    let exit = cmd.stream(&run.stop_by(), |line| {
        log.line(line)?;
        match line.strip_prefix(STAGE_MARK) {
            Some(name) => progress.enter(name.trim())?,
            None => ui.line(line),
        }
        Ok(())
    });
    let ok = exit.as_ref().is_ok_and(|exit| exit.ok());
    ui.end((!ok).then_some("failed"));
    interrupt::check()?;
    let exit = match exit {
        Ok(exit) => exit,
        Err(error) => return Err(error.context(progress.place())),
    };
    if !ok {
        return Err(log.failure(&why(&progress.place(), exit, run)));
    }
    let place = progress.place();
    progress.leave();
    progress.collect().map_err(|error| log.failure(&format!("{place}: {error:#}")))
}

impl Progress<'_> {
    fn enter(&mut self, name: &str) -> Result<()> {
        self.leave();
        self.ui.begin(name);
        self.current = Some((name.to_owned(), Instant::now()));
        Ok(())
    }

    /// Hashes what the stage produced beside the next stage's work.
    fn leave(&mut self) {
        let Some((name, since)) = self.current.take() else { return };
        let stage = self.recipe.stages.iter().find(|s| s.name == name).cloned();
        let out = self.out.to_owned();
        let hashing = std::thread::spawn(move || {
            let since = Instant::now();
            let left = stage.map_or(Ok(Left::default()), |s| left_by(&s, &out))?;
            Ok((left, since.elapsed()))
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

fn left_by(stage: &Stage, out: &Path) -> Result<Left> {
    let mut left = Left::default();
    for path in &stage.produces {
        let file = out.join(path);
        let hashed = if path.ends_with(".tar") {
            tree::of_tar(&file).map(|(digest, size, manifest)| {
                left.1.push((path.clone(), manifest));
                (digest, size)
            })
        } else {
            hash::file(&file)
        };
        let (digest, size) = hashed.with_context(|| {
            format!("stage {} did not leave {path}, which recipe.toml says it produces", stage.name)
        })?;
        left.0.push(Artefact { stage: stage.name.clone(), digest, size, path: path.clone() });
    }
    Ok(left)
}

/// Tells a recipe's own failure from the engine's (facts: what `docker run` returns).
fn why(place: &str, exit: Exit, run: &Run) -> String {
    let Run::Container { client, .. } = run else { return format!("{place} failed ({exit})") };
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
