//! The last look at a finished ISO: does it hold its recipe's content policy?

use super::Facts;
use crate::external;
use anyhow::Result;
use std::path::Path;
use xtask_core::exec::Exit;
use xtask_core::interrupt;
use xtask_core::log::Log;
use xtask_core::ui::Ui;

/// Before the build: what the gate will need.
pub(super) fn prepare(facts: &Facts, ui: &Ui) -> Result<()> {
    match facts.recipe.policy.as_ref().map(|policy| policy.enforced) {
        None => Ok(()),
        Some(true) => external::prepare_diagnoser(&facts.repo),
        Some(false) => {
            if let Err(error) = external::prepare_diagnoser(&facts.repo) {
                interrupt::check()?;
                ui.notice(&format!("the ISO will not be inspected: {error:#}"));
            }
            Ok(())
        }
    }
}

/// A violation fails the build where the recipe enforces its policy, and is told elsewhere.
pub(super) fn check(facts: &Facts, iso: &Path, log: &mut Log, ui: &Ui) -> Result<()> {
    let Some(enforced) = facts.recipe.policy.as_ref().map(|policy| policy.enforced) else {
        return Ok(());
    };
    let inspect =
        external::diagnoser(&facts.repo).args(["inspect", "--recipe", &facts.recipe.name]).arg(iso);
    let what = match inspect.output() {
        Ok(probe) => {
            interrupt::check()?;
            for line in probe.stdout.lines().chain(probe.stderr.lines()) {
                log.line(line)?;
            }
            // what is said of an image without violations stands in the log alone
            let violations: Vec<&str> =
                probe.stdout.lines().take_while(|line| !line.is_empty()).collect();
            match probe.exit {
                Exit::Code(0) => return Ok(()),
                Exit::Code(1) => violations.join("\n"),
                exit => format!("the ISO cannot be inspected ({exit}): {}", probe.stderr.trim()),
            }
        }
        Err(error) => format!("the ISO cannot be inspected: {error:#}"),
    };
    if !enforced {
        ui.notice(&what);
        return Ok(());
    }
    Err(log.failure(&format!("the ISO was made, but must not ship: {what}")))
}
