//! `cargo xtask diagnose`: a command of the program `diagnose`, which gets diffoscope from here.

use crate::builder_image::diffoscope::Diffoscope;
use crate::external;
use anyhow::Result;
use std::path::PathBuf;
use xtask_args::{DiagnoseArgs, DiffoscopeOption};
use xtask_core::exec::{Exit, Signal, StopBy};
use xtask_core::facts::repo::Repo;
use xtask_core::ui::Ui;

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
