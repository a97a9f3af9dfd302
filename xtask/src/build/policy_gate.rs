//! Checks a finished ISO against its recipe's content policy.

use super::BuildFacts;
use crate::external;
use anyhow::Result;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Exit};
use xtask_core::failure::Code;
use xtask_core::interrupt;
use xtask_core::log::Log;
use xtask_core::ui::Ui;

/// The check of the policy. Its program is compiled before the build, so that a failure of the compiler
/// does not end an hour's build.
#[derive(Clone, Debug)]
pub(super) struct PolicyGate {
    /// The command `inspect`, without the path of the ISO.
    inspect: Cmd,
    /// True if a violation fails the build; otherwise it is only a note.
    enforced: bool,
}

impl PolicyGate {
    /// `None` if the recipe has no policy, if the policy is not enforced and the program that checks it
    /// cannot be built, or if the caller inspects the image.
    pub(super) fn prepare(facts: &BuildFacts, ui: &Ui) -> Result<Option<PolicyGate>> {
        let Some(policy) = &facts.recipe.policy else { return Ok(None) };
        if facts.request.candidate.is_some() {
            return Ok(None);
        }
        let program = match external::diagnose(&facts.repo, ui) {
            Ok(program) => program,
            Err(error) if policy.enforced => return Err(error),
            Err(error) => {
                interrupt::check()?;
                ui.notice(&format!("the ISO will not be inspected: {error:#}"));
                return Ok(None);
            }
        };
        let mut inspect = program.args(["inspect", "--recipe", &facts.recipe.name]);
        if let Some(flavor) = &facts.flavor {
            inspect = inspect.args(["--flavor", flavor]);
        }
        Ok(Some(PolicyGate { inspect, enforced: policy.enforced }))
    }

    pub(super) fn check(&self, iso: &Path, log: &mut Log, ui: &Ui) -> Result<()> {
        let stage = ui.stage("inspect");
        let inspected = self.inspect(iso, log);
        stage.end(inspected.is_ok());
        let Some(violations) = inspected? else { return Ok(()) };
        if !self.enforced {
            ui.notice(&violations);
            return Ok(());
        }
        log.flush()?;
        let log = log.path().shown();
        // without the last lines of the build, which succeeded
        let what = format!("the ISO was made, but must not ship: {violations}\n  log: {log}");
        Err(Code::Failed.error(what))
    }

    /// Returns what breaks the policy.
    fn inspect(&self, iso: &Path, log: &mut Log) -> Result<Option<String>> {
        let violations = match self.inspect.clone().arg(iso).output() {
            Ok(probe) => {
                interrupt::check()?;
                for line in probe.stdout.lines().chain(probe.stderr.lines()) {
                    log.remark(line)?;
                }
                // the list of contents, after the first blank line, goes only to the log
                let violations: Vec<&str> =
                    probe.stdout.lines().take_while(|line| !line.is_empty()).collect();
                match probe.exit {
                    Exit::Code(0) => return Ok(None),
                    Exit::Code(1) => violations.join("\n"),
                    exit => {
                        format!("the ISO cannot be inspected ({exit}): {}", probe.stderr.trim())
                    }
                }
            }
            Err(error) => format!("the ISO cannot be inspected: {error:#}"),
        };
        Ok(Some(violations))
    }
}
