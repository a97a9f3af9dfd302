//! Jobs that build the product check out its source.

use crate::finding::{Location, Severity};
use crate::model::workflow::{self, Job};
use crate::rule::{Findings, Rule, replace};
use crate::tree::Tree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "checkout-submodules",
        what: "a job that builds the product checks out with `submodules: recursive`",
        why: "derivative-maker is a submodule with submodules of its own; without them the build fails minutes later with \"unknown Architecture\"",
        source: "actions/checkout's README",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "          submodules: recursive\n", "", "actions/checkout"),
        replace(
            WORKFLOW,
            "          submodules: recursive\n",
            "          submodules: false\n",
            "submodules:",
        ),
        replace(
            WORKFLOW,
            "          submodules: recursive\n",
            "          submodules: true\n",
            "submodules:",
        ),
    ],
};

fn check(tree: &Tree, found: &mut Findings) {
    if tree.entry(".gitmodules").is_none() {
        return;
    }
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            if !builds_product(&job) {
                continue;
            }
            for step in job.steps().into_iter().filter(|step| step.is_action("actions/checkout")) {
                let node = step.with("submodules");
                let text = node.and_then(|node| node.text()).unwrap_or_default();
                if text == "recursive" || (text.contains("${{") && text.contains("recursive")) {
                    continue;
                }
                let place =
                    node.or_else(|| step.node.get("uses")).map_or(step.at(), |node| node.at());
                let what = match node {
                    None => "the checkout leaves the submodules out".to_owned(),
                    Some(_) => format!("`submodules: {text}`"),
                };
                found.add(
                    Location::at(workflow.path(), place),
                    format!("{what}, and job `{}` builds the product", job.id),
                    "`submodules: recursive` below `with:`",
                    "add it",
                );
            }
        }
    }
}

/// True if a step builds the product, through xtask or by hand.
fn builds_product(job: &Job<'_>) -> bool {
    let by_hand = job.steps().iter().any(|step| {
        let run = step.node.get("run").and_then(|run| run.text()).unwrap_or_default();
        run.contains("derivative-maker")
    });
    by_hand || job.xtask().iter().any(|(_, x)| x.builds_product())
}
