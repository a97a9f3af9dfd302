//! `cargo xtask diagnose`: a command of the program `diagnose`, which gets diffoscope from here.

use crate::builder_image::diffoscope::Diffoscope;
use crate::external;
use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_args::{DiagnoseArgs, DiffoscopeOption};
use xtask_core::exec::{Exit, Signal, StopBy};
use xtask_core::facts::repo::Repo;
use xtask_core::step;
use xtask_core::ui::Ui;

/// The report of `diagnose` on two files, for another command. The files differ, so its exit code says
/// nothing new.
pub(crate) fn diagnosis_of(
    repo: &Repo,
    a: &Path,
    b: &Path,
    diffoscope: Option<&Diffoscope>,
    ui: &Ui,
) -> Result<String> {
    let program = external::diagnose(repo, ui)?.arg("diagnose");
    let program = diffoscope.into_iter().fold(program, |program, it| it.hand_to(program));
    let cmd = program.arg(a).arg(b);
    let mut text = String::new();
    step::stream("diagnose", &cmd, &StopBy::Signal(Signal::TERM), ui, |line| {
        text += &format!("{line}\n");
        Ok(())
    })?;
    Ok(text)
}

pub(crate) fn command(repo: &Repo, args: &DiagnoseArgs) -> Result<()> {
    let ui = Ui::new(false);
    let mut program = external::diagnose(repo, &ui)?.arg("diagnose");
    let image = args.images.iter().map(PathBuf::as_path).find(|path| path.exists());
    let diffoscope = match args.diffoscope {
        DiffoscopeOption::Never => None,
        DiffoscopeOption::Auto => Diffoscope::if_at_hand(repo, image, &ui)?,
        DiffoscopeOption::Always => Diffoscope::find(repo, image, true, &ui)?,
    };
    if let Some(diffoscope) = &diffoscope {
        program = diffoscope.hand_to(program);
    }
    let program = program.args(external::words());
    match diffoscope {
        // the private engine must outlive the program, and be stopped after it
        Some(diffoscope) if diffoscope.is_private() => {
            let exit = program.status(&StopBy::Signal(Signal::TERM))?;
            drop(diffoscope);
            // the program has printed its own error
            std::process::exit(match exit {
                Exit::Code(code) => code,
                Exit::Signal(signal) => 128 + signal,
            })
        }
        _ => Err(program.exec()),
    }
}
