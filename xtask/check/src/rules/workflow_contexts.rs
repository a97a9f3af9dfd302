//! Expressions name contexts and functions that exist at their place.

use crate::finding::{Location, Severity};
use crate::model::workflow;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

/// "Contexts", GitHub Actions' reference, which Gitea follows.
const CONTEXTS: [&str; 12] = [
    "env", "github", "inputs", "job", "jobs", "matrix", "needs", "runner", "secrets", "steps",
    "strategy", "vars",
];

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-contexts",
        what: "expressions use only contexts and functions that exist where they stand, and `github.*` instead of `gitea.*`",
        why: "a context that is unknown, or not yet known at this place, is an empty string; linters reject `gitea.*`, so nobody could lint the workflow",
        source: "GitHub's contexts reference",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "github.ref", "gitea.ref", "gitea.ref"),
        replace(WORKFLOW, "${{ secrets.REGISTRY_USER }}", "${{ secret.REGISTRY_USER }}", "secret."),
        replace(
            WORKFLOW,
            "if: github.event_name != 'workflow_dispatch'",
            "if: contain(github.ref, 'x')",
            "contain(",
        ),
        replace(
            WORKFLOW,
            "if: github.event_name != 'workflow_dispatch'",
            "if: env.IMAGE != ''",
            "env.",
        ),
        replace(
            WORKFLOW,
            "    runs-on: silvermetal-builder\n",
            "    name: ${{ steps.version.outputs.short }}\n    runs-on: silvermetal-builder\n",
            "steps.",
        ),
        replace(
            WORKFLOW,
            "  group: ${{ github.workflow }}",
            "  group: ${{ needs.check.outputs.short }}",
            "needs.",
        ),
        replace(
            WORKFLOW,
            "        if: failure() # keep the diagnosis\n",
            "        if: failure() || secrets.RELEASE_TOKEN != ''\n",
            "secrets.",
        ),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    env:\n      BROKEN: ${{ failure() }}\n",
            "failure()",
        ),
        legal(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: ${{ vars.BUILDER_REPOSITORY && 15 || 20 }}\n",
        ),
        legal(
            WORKFLOW,
            "if: github.event_name != 'workflow_dispatch'",
            "if: needs.check.outputs.short != '' && github.event_name != 'workflow_dispatch'",
        ),
    ],
};

const FUNCTIONS: [&str; 12] = [
    "always",
    "cancelled",
    "contains",
    "endswith",
    "failure",
    "format",
    "fromjson",
    "hashfiles",
    "join",
    "startswith",
    "success",
    "tojson",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for (keys, at, expr) in workflow.expressions() {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut add = |what: String, expected: String, fix: &'static str| {
                found.add(Location::at(workflow.path(), at), what, expected, fix);
            };
            for reference in expr.references() {
                let context = reference[0].as_str();
                if context == "gitea" {
                    let rest = reference[1..].join(".");
                    let fix = "write `github.`: Gitea knows both, linters only that";
                    add(format!("`gitea.{rest}`"), format!("`github.{rest}`"), fix);
                } else if !CONTEXTS.contains(&context) {
                    let expected = format!("one of {}", CONTEXTS.join(", "));
                    add(format!("no context is named `{context}`"), expected, "correct the name");
                } else if let Some(known) = known_at(&keys)
                    && !known.contains(&context)
                {
                    let what = format!("`{context}` is not known here, in `{}`", keys.join("."));
                    let fix = "use another context, or move the expression into a step";
                    add(what, format!("one of {}", known.join(", ")), fix);
                }
            }
            for function in expr.functions() {
                if !FUNCTIONS.contains(&function) {
                    let what = format!("no function is named `{function}`");
                    add(what, FUNCTIONS.join(", "), "correct the name");
                } else if STATUS.contains(&function) && keys.last() != Some(&"if") {
                    let what = format!("`{function}()` works only in an `if:`");
                    add(what, "`job.status`, or a condition".into(), "move it into an `if:`");
                }
            }
        }
    }
}

const STATUS: [&str; 4] = ["always", "cancelled", "failure", "success"];

const BEFORE_JOBS: &[&str] = &["github", "inputs", "vars"];
const JOB_CONDITION: &[&str] = &["github", "inputs", "needs", "vars"];
const JOB: &[&str] = &["github", "inputs", "matrix", "needs", "strategy", "vars"];
const JOB_ENV: &[&str] = &["github", "inputs", "matrix", "needs", "secrets", "strategy", "vars"];
const JOB_DEFAULTS: &[&str] = &["env", "github", "inputs", "matrix", "needs", "strategy", "vars"];
const STEP_CONDITION: &[&str] =
    &["env", "github", "inputs", "job", "matrix", "needs", "runner", "steps", "strategy", "vars"];

/// Contexts that are known at a place: "Context availability", GitHub Actions' reference. `None`
/// where this rule asks nothing.
fn known_at(keys: &[&str]) -> Option<&'static [&'static str]> {
    match keys {
        ["run-name"] | ["concurrency", ..] => Some(BEFORE_JOBS),
        ["env", ..] => Some(&["github", "inputs", "secrets", "vars"]),
        ["jobs", _, "if"] | ["jobs", _, "strategy", ..] => Some(JOB_CONDITION),
        ["jobs", _, "container" | "services", .., "env" | "credentials", _] => None,
        [
            "jobs",
            _,
            "name" | "concurrency" | "runs-on" | "timeout-minutes" | "continue-on-error"
            | "container",
            ..,
        ] => Some(JOB),
        ["jobs", _, "env", ..] | ["jobs", _, "with" | "secrets", ..] => Some(JOB_ENV),
        ["jobs", _, "defaults", ..] => Some(JOB_DEFAULTS),
        ["jobs", _, "steps", "if"] => Some(STEP_CONDITION),
        _ => None,
    }
}
