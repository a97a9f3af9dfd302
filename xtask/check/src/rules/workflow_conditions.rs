//! Conditions are expressions, not strings.

use crate::finding::{Location, Severity};
use crate::model::workflow;
use crate::parse::expression::{Expr, is_string, parse};
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const RELEASE: &str = "    if: startsWith(github.ref, 'refs/tags/v')\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-conditions",
        what: "an `if:` has no text around `${{ }}`, not even a line end, and its expression can be parsed",
        why: "text around `${{ }}` makes the condition a string, and a string is always true: the release or the fork guard no longer asks anything",
        source: "rhysd/actionlint#272, actions/runner#2629",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            RELEASE,
            "    if: ${{ startsWith(github.ref, 'refs/tags/v') }} && github.event_name == 'push'\n",
            "if:",
        ),
        replace(
            WORKFLOW,
            RELEASE,
            "    if: |\n      ${{ startsWith(github.ref, 'refs/tags/v') }}\n",
            "startsWith",
        ),
        replace(
            WORKFLOW,
            "        if: failure() # keep the diagnosis\n",
            "        if: failure() || ${{ cancelled() }}\n",
            "if:",
        ),
        replace(
            WORKFLOW,
            "    if: github.event_name == 'workflow_dispatch'\n",
            "    if: (github.event_name == 'workflow_dispatch'\n",
            "if:",
        ),
        legal(WORKFLOW, RELEASE, "    if: ${{ startsWith(github.ref, 'refs/tags/v') }}\n"),
        legal(WORKFLOW, RELEASE, "    if: |\n      startsWith(github.ref, 'refs/tags/v')\n"),
        legal(
            WORKFLOW,
            RELEASE,
            "    if: >-\n      ${{ startsWith(github.ref, 'refs/tags/v') }}\n",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let steps = job.steps();
            let nodes = std::iter::once(job.node).chain(steps.iter().map(|step| step.node));
            for node in nodes.filter_map(|node| node.get("if")) {
                let location = Location::at(workflow.path(), node.at());
                let text = node.text().unwrap_or_default();
                if is_string(text) {
                    found.add(
                        location,
                        "the condition is a string, which is always true",
                        "one expression, with `${{ }}` around all of it or without",
                        "remove `${{` and `}}`; in a block, write `>-` instead of `|` or `>`",
                    );
                } else if let Expr::Broken(_) =
                    parse(text.trim_start_matches("${{").trim_end_matches("}}"))
                {
                    found.add(
                        location,
                        "the condition is no valid expression",
                        "an expression",
                        "correct it",
                    );
                }
            }
        }
    }
}
