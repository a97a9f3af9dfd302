//! Runs diffoscope on the files whose difference nothing explains, and on no others. These files are
//! extracted from the images while diffoscope runs, and its time is limited.
//!
//! It runs in a container of the builder image, if xtask says how. Otherwise this machine's own
//! diffoscope runs, and the report says so.

mod extract;
mod report;

pub(crate) use report::Outcome;

use crate::builder_shell::BuilderShell;
use crate::classify::Diagnosis;
use crate::images::Images;
use crate::text::counted;
use anyhow::{Context as _, Result};
use extract::Extracted;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xtask_args::DiffoscopeOption;
use xtask_core::exec::{Cmd, Exit, Signal, StopBy, which};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::interrupt;
use xtask_core::ui::Ui;

/// The script that runs diffoscope on each pair of files.
const PAIRS: &str = include_str!("pairs.sh");

/// The diffoscope that runs.
enum From<'a> {
    Builder(&'a BuilderShell),
    Machine,
}

/// Has diffoscope look at what `diagnosis` leaves unexplained; `None` if there is nothing, or if it is not
/// wanted. With `always` it is an error where no diffoscope is to be had.
pub(crate) fn look(
    diagnosis: &Diagnosis,
    images: &Images,
    wanted: DiffoscopeOption,
    budget: Duration,
    builder: Option<&BuilderShell>,
) -> Result<Option<Outcome>> {
    let contents = || diagnosis.unexplained.iter().filter(|item| item.content);
    if wanted == DiffoscopeOption::Never || contents().next().is_none() {
        return Ok(None);
    }
    let begun = Instant::now();
    let from = match builder {
        Some(shell) => From::Builder(shell),
        None if wanted == DiffoscopeOption::Auto => {
            return Ok(Some(Outcome::none(
                "no engine that runs has the builder image (--diffoscope always starts one, or takes \
                 this machine's own)",
            )));
        }
        None if which("diffoscope").is_some() => From::Machine,
        None => {
            return Err(Code::NotReady.error(
                "no diffoscope to be had: no engine at hand has the builder image, and this machine \
                 has none of its own: cargo xtask image build",
            ));
        }
    };
    interrupt::install(|| {}, || {}).context("cannot listen for signals")?;
    let extracted = Extracted::from(contents().map(|item| &item.place), images, from.folder())?;
    let seconds = budget.saturating_sub(begun.elapsed()).as_secs().max(1);
    let n = counted(extracted.places.len(), "unexplained file", "unexplained files");
    Ui::new(false).notice(&format!("diffoscope looks at {n}, for at most {seconds} s"));
    let output = from.run(&extracted, seconds)?;
    Ok(Some(report::read(&output, &extracted, from.whose(), budget, begun.elapsed())))
}

impl From<'_> {
    /// The folder that files are extracted to.
    fn folder(&self) -> PathBuf {
        match self {
            From::Builder(shell) => shell.folder.clone(),
            From::Machine => {
                // below target/ if there is one: it is on a disk
                let above = Repo::find().map_or_else(|_| std::env::temp_dir(), |repo| repo.state());
                above.join(format!("diffoscope-{}", std::process::id()))
            }
        }
    }

    fn whose(&self) -> &'static str {
        match self {
            From::Builder(_) => "the builder image's",
            From::Machine => "this machine's own, no engine having the builder image",
        }
    }

    fn run(&self, extracted: &Extracted, seconds: u64) -> Result<String> {
        let (shell, stop) = match self {
            From::Builder(shell) => (shell.run.clone(), StopBy::Command(shell.stop.clone())),
            From::Machine => {
                (Cmd::new("bash").current_dir(&extracted.folder), StopBy::Signal(Signal::TERM))
            }
        };
        let (mut output, mut last) = (String::new(), String::new());
        let script = shell.args(["-c", PAIRS, "bash", &seconds.to_string()]);
        let exit = script.stream(&stop, |line| {
            line.clone_into(&mut last);
            output += line;
            output.push('\n');
            Ok(())
        })?;
        match exit {
            Exit::Code(0) => Ok(output),
            exit => Err(Code::Failed.error(format!("diffoscope failed ({exit}): {last}"))),
        }
    }
}
