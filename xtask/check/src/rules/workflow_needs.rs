//! `needs:` names jobs that exist, without a cycle.

use crate::finding::{Location, Severity};
use crate::model::workflow;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-needs",
        what: "every `needs:` names another job of the same workflow, and the needs form no cycle",
        why: "Gitea lets such a job wait for ever, or drops the whole workflow",
        source: "Gitea's workflow parser",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "needs: [check, builder-image]",
            "needs: [chek, check, builder-image]",
            "chek",
        ),
        replace(WORKFLOW, "needs: check\n", "needs: [check, build-and-verify]\n", "needs:"),
        replace(WORKFLOW, "    # check: no needs\n", "    needs: check\n", "needs: check"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        let ids: Vec<String> = workflow.jobs().iter().map(|job| job.id.to_owned()).collect();
        let mut told = Vec::new();
        for job in workflow.jobs() {
            for need in job.needs() {
                let name = need.text().unwrap_or_default();
                if !ids.iter().any(|id| id == name) {
                    found.add(
                        Location::at(workflow.path(), need.at()),
                        format!("job `{}` needs `{name}`, but no job has that name", job.id),
                        format!("one of {}", ids.join(", ")),
                        "correct the name",
                    );
                }
            }
            let circle = workflow.ancestors(&job);
            let waits_for_itself = circle.iter().any(|other| other.id == job.id);
            if waits_for_itself && !told.contains(&job.id.to_owned()) {
                // report each cycle once
                told.extend(circle.iter().map(|job| job.id.to_owned()));
                let at = job.node.entry("needs").map_or(job.key.at(), |(key, _)| key.at());
                let others: Vec<&str> =
                    circle.iter().map(|job| job.id).filter(|id| *id != job.id).collect();
                let over = if others.is_empty() {
                    "itself".into()
                } else {
                    format!("itself, through {}", others.join(", "))
                };
                found.add(
                    Location::at(workflow.path(), at),
                    format!("job `{}` waits for {over}", job.id),
                    "needs without a cycle",
                    "remove one of the needs",
                );
            }
        }
    }
}
