//! `verify --fail-fast`: what is known of two builds of which one, or both, stopped at the first stage that
//! differs.

use super::args::VerifyArgs;
use crate::build::earlier::EarlierBuild;
use crate::build::{HaltedBuild, ScratchFolder};
use crate::commands::diagnose::diagnosis_of;
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::repo::Repo;
use xtask_core::interrupt;
use xtask_core::records::published::Published;
use xtask_core::records::verdict::BuildDifference;
use xtask_core::replace::{BUILD_RECORDS, is_result};
use xtask_core::ui::Ui;

/// Most artefacts of a stage that are diagnosed.
const MOST: usize = 3;

/// The builds that were stopped. A build that was not has its result in its folder.
#[derive(Default)]
pub(super) struct Stopped {
    pub(super) a: Option<HaltedBuild>,
    pub(super) b: Option<HaltedBuild>,
}

/// Time saved and diagnosis, for the report.
pub(super) struct StopFacts {
    /// Stage in which build B was stopped, or build A if B was not.
    stage: String,
    /// An estimate by build A, or by an earlier build; `None` without one.
    seconds_saved: Option<f64>,
    diagnosis: String,
}

impl Stopped {
    pub(super) fn any(&self) -> bool {
        self.a.is_some() || self.b.is_some()
    }

    /// The records of both builds, those of a finished one from its folder, without what only one of them had the time to record.
    pub(super) fn records(&self, [dir_a, dir_b]: [&Path; 2]) -> Result<[Published; 2]> {
        let of = |halted: &Option<HaltedBuild>, dir: &Path| match halted {
            Some(halted) => Ok(halted.records.clone()),
            None => Published::read(dir),
        };
        let [mut a, mut b] = [of(&self.a, dir_a)?, of(&self.b, dir_b)?];
        if a.packages.is_empty() || b.packages.is_empty() {
            (a.packages, b.packages) = Default::default();
        }
        const MOVES: &str = "InRelease";
        if a.info.get(MOVES).is_empty() || b.info.get(MOVES).is_empty() {
            a.info.0.remove(MOVES);
            b.info.0.remove(MOVES);
        }
        Ok([a, b])
    }

    /// Tells the rest of a difference. `whole` is how long a whole build takes, by an earlier one.
    pub(super) fn facts(
        &self,
        repo: &Repo,
        [a, b]: &[Published; 2],
        difference: &BuildDifference,
        kept: &ScratchFolder,
        whole: Option<&EarlierBuild>,
        ui: &Ui,
    ) -> Result<StopFacts> {
        let halted = [&self.b, &self.a].into_iter().flatten().next();
        Ok(StopFacts {
            stage: halted.map(|halted| halted.stage.clone()).unwrap_or_default(),
            seconds_saved: halted.zip(whole).and_then(|(halted, whole)| saved(halted, whole)),
            diagnosis: diagnosis(repo, a, b, difference, kept, ui)?,
        })
    }
}

/// The time that the stages from the one in which a build was stopped took in a whole build, without that
/// which it was in there. Other stages may have been slower or faster for other reasons.
fn saved(halted: &HaltedBuild, whole: &EarlierBuild) -> Option<f64> {
    let from = whole.stages.iter().position(|(name, _)| *name == halted.stage)?;
    let rest: Duration = whole.stages[from..].iter().map(|(_, took)| *took).sum();
    Some(rest.saturating_sub(halted.in_stage).as_secs_f64())
}

/// Runs `diagnose` on the artefacts of the first stage that differ and that are still there.
fn diagnosis(
    repo: &Repo,
    a: &Published,
    b: &Published,
    difference: &BuildDifference,
    kept: &ScratchFolder,
    ui: &Ui,
) -> Result<String> {
    let mut text = String::new();
    let in_stage = |build: &Published, path: &str| {
        let stage = difference.stage.as_deref();
        let mut artefacts = build.ledger.0.iter();
        let found = artefacts.find(|x| Some(x.stage.as_str()) == stage && x.path == path);
        found.map(|x| x.digest.clone())
    };
    let of_stage = a.ledger.0.iter().filter(|x| Some(&x.stage) == difference.stage.as_ref());
    let differ = of_stage.filter(|x| in_stage(b, &x.path).is_some_and(|digest| digest != x.digest));
    for artefact in differ.take(MOST) {
        let [file_a, file_b] = ["a", "b"].map(|side| kept.of(side).join(&artefact.path));
        let path = artefact.path.shown();
        if !file_a.exists() || !file_b.exists() {
            let _ = writeln!(
                text,
                "no diagnosis of {path}: build A was made by an earlier run, or the disk is short"
            );
            continue;
        }
        match diagnosis_of(repo, &file_a, &file_b, None, ui) {
            Ok(report) => {
                let _ = writeln!(text, "diagnosis of {path}:");
                for line in report.lines().filter(|line| !line.starts_with("error: ")) {
                    let _ = writeln!(text, "  {line}");
                }
            }
            Err(error) => {
                interrupt::check()?;
                let _ = writeln!(text, "no diagnosis of {path}: {error:#}");
            }
        }
    }
    Ok(text)
}

impl StopFacts {
    pub(super) fn text(&self) -> String {
        let saved = match self.seconds_saved {
            Some(seconds) => format!("about {seconds:.0} s saved"),
            None => "how much time that saved is not known".to_owned(),
        };
        format!(
            "stopped in stage {}, because the builds differ already: no second image was built ({saved})\n{}",
            self.stage.shown(),
            self.diagnosis
        )
    }

    pub(super) fn value(&self) -> Value {
        json!({ "stage": self.stage, "seconds_saved": self.seconds_saved, "diagnosis": self.diagnosis })
    }
}

/// The command that builds both images after all.
pub(super) fn next_step(args: &VerifyArgs, stopped: &Stopped) -> String {
    let mut words = vec!["cargo xtask verify".to_owned(), quoted(&args.what.recipe)];
    words.push("--no-fail-fast".to_owned());
    if stopped.a.is_none() {
        words.push("--resume".to_owned());
    }
    if let Some(output) = &args.output {
        words.push(format!("--output {}", quoted(output)));
    }
    words.join(" ")
}

/// Removes an older result of a build that was stopped: it would look like one of this run.
pub(super) fn remove_older(dir: &Path) {
    if is_result(dir, &BUILD_RECORDS) {
        drop(fs::remove_dir_all(dir)); // if it fails, verify.json says that there is no build here
    }
}
