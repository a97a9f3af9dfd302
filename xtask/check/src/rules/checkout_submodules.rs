//! Jobs that build the product check out its source.

use crate::finding::{Location, Severity};
use crate::model::workflow::{self, WorkflowJob};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "checkout-submodules",
        what: "a job that builds the product checks out with `submodules: recursive` and `fetch-depth: 0`",
        why: "derivative-maker is a submodule with submodules of its own; without them the build fails minutes later with \"unknown Architecture\". At the default depth of 1 its tag is missing, and `iso base` refuses to start",
        source: "actions/checkout's README; owasp-modsecurity/ModSecurity#3185",
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
        replace(WORKFLOW, "          fetch-depth: 0 # with tags\n", "", "actions/checkout"),
        replace(
            WORKFLOW,
            "          fetch-depth: 0 # with tags\n",
            "          fetch-depth: 50\n",
            "fetch-depth:",
        ),
        legal(
            WORKFLOW,
            "          fetch-depth: 0 # with tags\n",
            "          fetch-depth: '0'\n          fetch-tags: true\n",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    if tree.entry(".gitmodules").is_none() {
        return;
    }
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            if !builds_product(&job) {
                continue;
            }
            for step in job.steps().iter().filter(|step| step.is_action("actions/checkout")) {
                for (input, value) in [("submodules", "recursive"), ("fetch-depth", "0")] {
                    let node = step.with(input);
                    let text = node.and_then(|node| node.text()).unwrap_or_default();
                    // an expression may give the value only for some recipes
                    if text == value || (text.contains("${{") && text.contains(value)) {
                        continue;
                    }
                    let at = node.or_else(|| step.node.get("uses")).map_or(step.at(), YamlNode::at);
                    let what = match node {
                        None => format!("the checkout has no `{input}`"),
                        Some(_) => format!("the checkout has `{input}: {text}`"),
                    };
                    found.add(
                        Location::at(workflow.path(), at),
                        format!("{what}, but job `{}` builds the product", job.id),
                        format!("`{input}: {value}` below `with:`"),
                        "add it, or correct the value",
                    );
                }
            }
        }
    }
}

/// True if a step builds the product, through xtask or by hand.
fn builds_product(job: &WorkflowJob<'_>) -> bool {
    let by_hand = job.steps().iter().any(|step| {
        let run = step.node.get("run").and_then(|run| run.text()).unwrap_or_default();
        run.contains("derivative-maker")
    });
    by_hand || job.xtask().iter().any(|(_, x)| x.builds_product())
}
