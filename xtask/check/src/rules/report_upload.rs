//! A failed verification leaves its report.

use crate::finding::{Location, Severity};
use crate::model::scenario::Scenario;
use crate::model::workflow::{self, WorkflowJob, WorkflowStep};
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const IF: &str = "        if: failure() # keep the diagnosis\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "report-upload",
        what: "after every step that verifies, a later step uploads the report, and its condition is true when the verification failed (`if: failure()`)",
        why: "a step without `failure()` is skipped exactly when the hashes differ: hours of building, and nothing to diagnose",
        source: "GitHub's expressions reference, status check functions",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, IF, "", "cargo xtask verify"),
        replace(
            WORKFLOW,
            IF,
            "        if: github.ref != 'refs/heads/main'\n",
            "cargo xtask verify",
        ),
        replace(WORKFLOW, IF, "        if: ${{ !failure() }}\n", "cargo xtask verify"),
        replace(WORKFLOW, IF, "        if: cancelled()\n", "cargo xtask verify"),
        replace(
            WORKFLOW,
            IF,
            "        if: failure() && steps.verify.outcome == 'success'\n",
            "cargo xtask verify",
        ),
        replace(
            WORKFLOW,
            IF,
            "        if: failure() && vars.BUILDER_REPOSITORY\n",
            "cargo xtask verify",
        ),
        legal(WORKFLOW, IF, "        if: ${{ !success() }}\n"),
        legal(WORKFLOW, IF, "        if: always()\n"),
        legal(WORKFLOW, IF, "        if: failure() && steps.verify.outcome == 'failure'\n"),
        legal(WORKFLOW, IF, "        if: ${{ failure() || cancelled() }}\n"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            for (line, skipped) in verifications_without_report(&job) {
                let what = if skipped.is_empty() {
                    "a failed verification leaves no report: no later step uploads one".to_owned()
                } else {
                    let steps = skipped.join(", ");
                    format!("a failed verification leaves no report: after it, {steps} may not run")
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
}

/// Lines of verifications without a report, and the later uploads that do not run.
fn verifications_without_report(job: &WorkflowJob<'_>) -> Vec<(usize, Vec<String>)> {
    let steps = job.steps();
    let mut found = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let Some((line, _)) = step.xtask().into_iter().find(|(_, x)| x.command == "verify") else {
            continue;
        };
        let uploads = |later: &&WorkflowStep<'_>| later.is_action("actions/upload-artifact");
        let uploads: Vec<&WorkflowStep<'_>> = steps[n + 1..].iter().filter(uploads).collect();
        let runs = |later: &&WorkflowStep<'_>| {
            Scenario::step_runs_after_failure(later, step) == Some(true)
        };
        if !uploads.iter().any(runs) {
            let name =
                |step: &&WorkflowStep<'_>| format!("{} (line {})", step.title(), step.at().0);
            found.push((line, uploads.iter().map(name).collect()));
        }
    }
    found
}
