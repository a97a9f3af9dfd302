//! `runs-on` is one label that the runner has.

use crate::finding::{Location, Severity};
use crate::model::runner::{PATH, Runner};
use crate::model::workflow;
use crate::parse::yaml::Value;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const DOCS: &str = "docs/ci-runner.md";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "runner-label",
        what: "`runs-on` is a single label that the runner's configuration and docs/ci-runner.md name",
        why: "a job whose label no runner has waits for ever, without a message",
        source: "Gitea's runner labels, docs/ci-runner.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "runs-on: silvermetal-builder",
            "runs-on: silvermetal-bilder",
            "silvermetal-bilder",
        ),
        replace(
            WORKFLOW,
            "runs-on: silvermetal-builder",
            "runs-on: [silvermetal-builder, linux]",
            "runs-on",
        ),
        replace(WORKFLOW, "    runs-on: silvermetal-builder\n", "", ""),
        replace(PATH, "- silvermetal-builder:", "- silvermetal-bulder:", "silvermetal-bulder"),
        replace(DOCS, "`silvermetal-builder`", "`another`", ""),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let runner = Runner::read(tree);
    let labels = runner.as_ref().map(Runner::labels).unwrap_or_default();
    let docs = tree.source(DOCS);
    let mut used = Vec::new();
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            if job.node.get("uses").is_some() {
                continue;
            }
            let Some(node) = job.node.get("runs-on") else {
                let place = Location::at(workflow.path(), job.key.at());
                found.add(
                    place,
                    format!("job `{}` has no runs-on", job.id),
                    "`runs-on: LABEL`",
                    "add it",
                );
                continue;
            };
            let items = node.items();
            let place = Location::at(workflow.path(), node.at());
            let single = items.len() == 1 && !matches!(node.value, Value::Map(_));
            let Some(label) = items.first().and_then(|item| item.text()).filter(|_| single) else {
                found.add(
                    place,
                    "`runs-on` must have exactly one label",
                    "`runs-on: LABEL`",
                    "keep one label",
                );
                continue;
            };
            if label.contains("${{") {
                let what = "the label is an expression, so it cannot be checked against the runner's labels";
                found.add(place, what, "`runs-on: LABEL`", "write the label");
                continue;
            }
            used.push(label.to_owned());
            if runner.is_some() && !labels.iter().any(|(_, name)| *name == label) {
                let names: Vec<&str> = labels.iter().map(|(_, name)| *name).collect();
                let expected = format!("a label of {PATH}: {}", names.join(", "));
                found.add(
                    place,
                    format!("no runner has the label `{label}`"),
                    expected,
                    "correct the label",
                );
            }
        }
    }
    for (node, label) in labels {
        let place = Location::at(PATH, node.at());
        if !used.is_empty() && !used.iter().any(|name| name == label) {
            found.add(
                place,
                format!("no job asks for the label `{label}`"),
                used.join(", "),
                "correct the label",
            );
        } else if let Some(docs) = docs
            && !docs.text.contains(&format!("`{label}`"))
            && !docs.text.contains(&format!("{label}:docker:"))
        {
            found.add(
                Location::file(DOCS),
                format!("does not name the label `{label}`"),
                format!("`{label}` in backquotes"),
                "say there which label the runner registers with",
            );
        }
    }
}
