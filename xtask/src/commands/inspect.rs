//! `cargo xtask inspect`: a command of the program `diagnose`.

use crate::external;
use anyhow::Result;
use xtask_core::exec::{Cmd, Exit};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::interrupt;
use xtask_core::ui::Ui;

/// An answer of `inspect` to another command.
pub(crate) struct InspectAnswer {
    /// Its stdout.
    pub(crate) text: String,
    /// True if it is yes: the policy holds, or nothing changed.
    pub(crate) yes: bool,
}

/// Asks `inspect` for another command, as the stage `name`. `cmd` is its whole command line.
///
/// # Errors
/// `inspect` has no answer: it cannot read an image.
pub(crate) fn answer(cmd: &Cmd, name: &str, ui: &Ui) -> Result<InspectAnswer> {
    let stage = ui.stage(name);
    ui.command(cmd);
    let output = cmd.output();
    let answered = output.as_ref().is_ok_and(|output| matches!(output.exit, Exit::Code(0 | 1)));
    stage.end(answered);
    interrupt::check()?;
    let output = output?;
    if answered {
        return Ok(InspectAnswer { yes: output.exit.ok(), text: output.stdout });
    }
    let why = output.stderr.trim().trim_start_matches("error: ");
    Err(Code::Failed.error(format!("{name} ({}): {why}", output.exit)))
}

pub(crate) fn command(repo: &Repo) -> Result<()> {
    let program = external::diagnose(repo, &Ui::new(false))?;
    Err(program.arg("inspect").args(external::words()).exec())
}
