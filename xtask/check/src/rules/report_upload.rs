//! A failed verification leaves its report.

use crate::finding::{Location, Severity};
use crate::model::workflow;
use crate::rule::{Findings, Rule, replace};
use crate::tree::Tree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "report-upload",
        what: "a job that verifies has, further down, a step that uploads the report and runs when the verification failed (`if: failure()`)",
        why: "without `failure()` a step is skipped exactly when the hashes differ: hours of building, and nothing to diagnose it by",
        source: "preflight rule 15",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "        if: failure() # keep the diagnosis\n", "", "cargo xtask verify"),
        replace(
            WORKFLOW,
            "        if: failure() # keep the diagnosis\n",
            "        if: github.ref != 'refs/heads/main'\n",
            "cargo xtask verify",
        ),
    ],
};

fn check(tree: &Tree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let steps = job.steps();
            let verifies = |step: &workflow::Step<'_>| {
                step.xtask().into_iter().find(|(_, x)| x.command == "verify").map(|(line, _)| line)
            };
            let last =
                steps.iter().enumerate().rev().find_map(|(n, step)| Some((n, verifies(step)?)));
            let Some((n, line)) = last else { continue };
            let uploads = |step: &&workflow::Step<'_>| {
                step.uses().is_some_and(|(_, action, _)| action.contains("upload-artifact"))
            };
            let later: Vec<_> = steps.iter().skip(n + 1).filter(uploads).collect();
            if later.iter().any(|step| step.runs_on_failure()) {
                continue;
            }
            let skipped: Vec<String> = later
                .iter()
                .map(|step| format!("{} (line {})", step.title(), step.at().0))
                .collect();
            let what = if skipped.is_empty() {
                "a verification that fails leaves no report: nothing uploads one".to_owned()
            } else {
                format!(
                    "a verification that fails leaves no report: skipped then is {}",
                    skipped.join(", ")
                )
            };
            found.add(
                Location::line(workflow.path(), line),
                what,
                "a later step with upload-artifact and `if: failure()` (or always())",
                "add `if: failure()` to the step that uploads the report",
            );
        }
    }
}
