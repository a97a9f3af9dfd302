//! Expressions name contexts and functions that exist.

use crate::finding::{Location, Severity};
use crate::model::workflow;
use crate::rule::{Findings, Rule, replace};
use crate::tree::Tree;
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
        what: "expressions use only contexts and functions that exist, and `github.*` instead of `gitea.*`",
        why: "an unknown context is an empty string; linters reject `gitea.*`, so nobody could lint the workflow",
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

fn check(tree: &Tree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for (_, at, expression) in workflow.expressions() {
            let place = || Location::at(workflow.path(), at);
            for reference in &expression.references {
                let context = reference[0].as_str();
                if context == "gitea" {
                    let rest = reference[1..].join(".");
                    found.add(
                        place(),
                        format!("`gitea.{rest}`"),
                        format!("`github.{rest}`"),
                        "write `github.`: Gitea knows both, linters only that",
                    );
                } else if !CONTEXTS.contains(&context) {
                    let expected = format!("one of {}", CONTEXTS.join(", "));
                    found.add(
                        place(),
                        format!("no context is named `{context}`"),
                        expected,
                        "correct the name",
                    );
                }
            }
            for function in &expression.functions {
                if !FUNCTIONS.contains(&function.as_str()) {
                    found.add(
                        place(),
                        format!("no function is named `{function}`"),
                        FUNCTIONS.join(", "),
                        "correct the name",
                    );
                }
            }
        }
    }
}
