//! diffoscope on what no rule explains, and never on the rest: only those files leave the images,
//! for as long as it looks at them, and it has so much time and no more.
//!
//! It is the builder image's, through `cargo xtask image run`; else this machine's own, and then the
//! report says so.

mod extract;
mod report;

pub(crate) use report::Outcome;

use crate::classify::Diagnosis;
use crate::cli::Diffoscope;
use crate::images::Images;
use crate::text::counted;
use anyhow::{Context as _, Result};
use extract::Extracted;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xtask_core::exec::{Cmd, Exit, which};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::interrupt;
use xtask_core::ui::Ui;

/// Runs in the builder, and where there is none on this machine.
const PAIRS: &str = include_str!("pairs.sh");

/// Where diffoscope is taken from.
enum From {
    /// `cargo xtask image run …`, up to the folder.
    Builder(Cmd),
    Machine,
}

/// Has diffoscope look at what `diagnosis` leaves unexplained; `None` if there is nothing, or if it is not
/// wanted. With `always` it is an error where no diffoscope is to be had.
pub(crate) fn look(
    diagnosis: &Diagnosis,
    images: &Images,
    wanted: Diffoscope,
    budget: Duration,
    image: Option<&str>,
) -> Result<Option<Outcome>> {
    let contents = || diagnosis.unexplained.iter().filter(|item| item.content);
    if wanted == Diffoscope::Never || contents().next().is_none() {
        return Ok(None);
    }
    let begun = Instant::now();
    let from = match source(wanted, image)? {
        Ok(from) => from,
        Err(why) if wanted == Diffoscope::Always => {
            return Err(Code::NotReady.error(format!("no diffoscope to be had: {why}")));
        }
        Err(_) => {
            return Ok(Some(Outcome::none(
                "no engine that runs has the builder image (--diffoscope always starts one, or takes \
             this machine's own)",
            )));
        }
    };
    interrupt::install().context("cannot listen for signals")?;
    let extracted = Extracted::from(contents().map(|item| &item.place), images, &temporary())?;
    let seconds = budget.saturating_sub(begun.elapsed()).as_secs().max(1);
    let n = counted(extracted.places.len(), "unexplained file", "unexplained files");
    Ui::new(false).notice(&format!("diffoscope looks at {n}, for at most {seconds} s"));
    let output = from.run(&extracted, seconds)?;
    Ok(Some(report::read(&output, &extracted, from.whose(), budget, begun.elapsed())))
}

/// The best that is to be had, or why there is none.
fn source(wanted: Diffoscope, image: Option<&str>) -> Result<Result<From, String>> {
    let beside = std::env::current_exe().context("cannot find my own program")?;
    let mut why = "no xtask beside this program".to_owned();
    if let xtask = beside.with_file_name("xtask")
        && xtask.exists()
    {
        let mut cmd = Cmd::new(xtask).args(["image", "run"]);
        if wanted == Diffoscope::Always {
            cmd = cmd.arg("--start");
        }
        if let Some(image) = image {
            cmd = cmd.args(["--image", image]);
        }
        let asked = cmd.clone().arg(".").output()?;
        if asked.exit.ok() {
            return Ok(Ok(From::Builder(cmd)));
        }
        why = last_line(&asked.stderr).to_owned();
    }
    if wanted == Diffoscope::Always && which("diffoscope").is_some() {
        return Ok(Ok(From::Machine));
    }
    Ok(Err(why))
}

fn last_line(stderr: &str) -> &str {
    stderr.trim().lines().last().unwrap_or_default().trim_start_matches("error: ")
}

/// Where files are extracted to: in a checkout under target/, which is on a disk, and which an engine
/// can see that runs beside a CI job's container.
fn temporary() -> PathBuf {
    Repo::find().map_or_else(|_| std::env::temp_dir(), |repo| repo.state())
}

impl From {
    fn whose(&self) -> &'static str {
        match self {
            From::Builder(_) => "the builder image's",
            From::Machine => "this machine's own, no engine having the builder image",
        }
    }

    fn run(&self, extracted: &Extracted, seconds: u64) -> Result<String> {
        let shell = ["bash", "-c", PAIRS, "bash", &seconds.to_string()].map(str::to_owned);
        let cmd = match self {
            From::Builder(cmd) => cmd.clone().arg(&extracted.folder).args(shell),
            From::Machine => Cmd::new(&shell[0]).args(&shell[1..]).current_dir(&extracted.folder),
        };
        let mut output = Vec::new();
        let (exit, stderr) = cmd.feed(|piece| {
            output.extend_from_slice(piece);
            Ok(())
        })?;
        let said = last_line(&stderr);
        match exit {
            Exit::Code(0) => Ok(String::from_utf8_lossy(&output).into_owned()),
            Exit::Code(3) => Err(Code::NotReady.error(said)),
            exit => Err(Code::Failed.error(format!("diffoscope failed ({exit}): {said}"))),
        }
    }
}
