//! Pull requests from forks run nothing.

use crate::finding::{Location, Severity};
use crate::model::scenario::Scenario;
use crate::model::workflow;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const GUARD: &str = "    if: github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "fork-guard",
        what: "no job runs for a pull request from a fork: the first job's `if:` excludes forks, and all other jobs need it; nothing uses `pull_request_target`",
        why: "a job holds the engine's socket and is root on the runner's host: a stranger's code would be, too",
        source: "docs/ci-runner.md; GitHub's \"Security hardening for GitHub Actions\"",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, GUARD, "", "check:"),
        replace(
            WORKFLOW,
            GUARD,
            "    if: github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name != github.repository\n",
            "if:",
        ),
        replace(WORKFLOW, GUARD, "    if: github.event_name != 'push' || always()\n", "if:"),
        replace(WORKFLOW, "    needs: check\n", "", "builder-image:"),
        replace(
            WORKFLOW,
            "  pull_request:\n",
            "  pull_request:\n  pull_request_target:\n",
            "target",
        ),
        legal(
            WORKFLOW,
            GUARD,
            "    if: github.event_name != 'pull_request' || !github.event.pull_request.head.repo.fork\n",
        ),
        legal(
            WORKFLOW,
            GUARD,
            "    if: ${{ !(github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name != github.repository) }}\n",
        ),
        legal(
            WORKFLOW,
            GUARD,
            "    if: github.event_name == 'push' || github.event_name == 'schedule'\n",
        ),
    ],
};

const EXPECTED: &str = "`if: github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository` on the first job";

fn check(tree: &SourceTree, found: &mut Findings) {
    let fork = Scenario::pull_request(true);
    for workflow in workflow::all(tree) {
        for event in workflow.event_nodes() {
            if event.text() == Some("pull_request_target") {
                found.add(
                    Location::at(workflow.path(), event.at()),
                    "`pull_request_target` gives a stranger's pull request the repository's secrets",
                    "pull_request",
                    "remove it, or write `pull_request`",
                );
            }
        }
        if !workflow.events().contains(&"pull_request") {
            continue;
        }
        let runs: Vec<&str> = workflow
            .jobs()
            .iter()
            .filter(|job| fork.job_runs(&workflow, job) != Some(false))
            .map(|job| job.id)
            .collect();
        for job in workflow.jobs().iter().filter(|job| runs.contains(&job.id)) {
            // a needed job that runs is the cause, and is reported itself
            if job.needs().iter().any(|need| need.text().is_some_and(|id| runs.contains(&id))) {
                continue;
            }
            let at = job.node.get("if").unwrap_or(job.key).at();
            found.add(
                Location::at(workflow.path(), at),
                format!("job `{}` runs for a pull request from a fork", job.id),
                EXPECTED,
                "add the condition, or let the job need one that has it",
            );
        }
    }
}
