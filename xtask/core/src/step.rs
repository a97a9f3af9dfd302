//! A step: one long command, shown to a person while it runs.

use crate::exec::{Cmd, Exit, StopBy};
use crate::interrupt;
use crate::log::Tail;
use crate::ui::Ui;
use anyhow::{Result, bail};

/// Runs a command as the stage `name`: shows its output and how it ended. `on_line` gets every line of
/// its output. Returns the exit code, whatever it is.
pub fn stream(
    name: &str,
    cmd: &Cmd,
    stop: &StopBy,
    ui: &Ui,
    mut on_line: impl FnMut(&str) -> Result<()>,
) -> Result<Exit> {
    let stage = ui.stage(name);
    ui.command(cmd);
    let exit = cmd.stream(stop, |line| {
        ui.line(line);
        on_line(line)
    });
    stage.end(exit.as_ref().is_ok_and(|exit| exit.ok()));
    exit
}

/// Runs a command that must succeed as the stage `name`. The error shows its last lines.
pub fn run(name: &str, cmd: &Cmd, stop: &StopBy, ui: &Ui) -> Result<()> {
    let mut tail = Tail::default();
    let exit = stream(name, cmd, stop, ui, |line| {
        tail.push(line);
        Ok(())
    })?;
    if exit.ok() {
        return Ok(());
    }
    interrupt::check()?;
    bail!("`{}` failed ({exit}), last lines:{tail}", cmd.brief())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Signal;

    #[test]
    fn a_failed_step_shows_exit_code_and_last_lines() {
        let step = |script: &str| {
            let cmd = Cmd::new("sh").args(["-c", script]);
            run("step", &cmd, &StopBy::Signal(Signal::TERM), &Ui::new(false))
        };
        step("true").unwrap();
        let error = step("seq 100; exit 7").unwrap_err().to_string();
        assert!(error.contains("failed (exit 7), last lines:\n    81\n"), "{error}");
        assert!(error.ends_with("\n    100") && !error.contains("\n    80\n"), "{error}");
        assert!(step("false").unwrap_err().to_string().ends_with("it printed nothing"));
    }
}
