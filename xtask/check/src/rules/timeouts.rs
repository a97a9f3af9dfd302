//! A job's time limit covers its builds and ends before the runner's limit.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::runner::{self, PATH, Runner, duration};
use crate::model::workflow::{self, WorkflowJob};
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

/// A build of the product takes 60 to 90 minutes, see docs/ci-runner.md.
const BUILD_MINUTES: u64 = 90;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "timeouts",
        what: "a job that builds the product has a `timeout-minutes` of at least 90 for each build; no job's limit exceeds the runner's `timeout` (3h by default)",
        why: "runner and server both stop a job after 3 h by default: the second build dies minutes before the verdict",
        source: "the runner's config.example.yaml; Gitea's ENDLESS_TASK_TIMEOUT",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "timeout-minutes: 300", "timeout-minutes: 120", "120"),
        replace(WORKFLOW, "timeout-minutes: 300", "timeout-minutes: 400", "400"),
        replace(WORKFLOW, "    timeout-minutes: 300\n", "", "build-and-verify:"),
        replace(PATH, "  timeout: 6h\n", "", "timeout-minutes: 300"),
        replace(PATH, "  timeout: 6h\n", "  timeout: 6 hours\n", "6 hours"),
        legal(WORKFLOW, "timeout-minutes: 300", "timeout-minutes: 360"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let runner = Runner::read(tree);
    let limit = runner.as_ref().map(|runner| runner.timeout() / 60);
    let written = runner.as_ref().and_then(|runner| runner.root.path(&["runner", "timeout"]));
    if let Some(node) = written.filter(|node| node.text().and_then(duration).is_none()) {
        let what = format!("`{}` is not a duration", node.text().unwrap_or_default());
        found.add(
            Location::at(runner::PATH, node.at()),
            what,
            "a duration such as 6h or 330m",
            "correct it",
        );
        return;
    }
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let needed = builds(&job) * BUILD_MINUTES;
            let Some(node) = job.node.get("timeout-minutes") else {
                if needed > 0 {
                    found.add(
                        Location::at(workflow.path(), job.key.at()),
                        format!(
                            "job `{}` builds the product {}, but has no `timeout-minutes`",
                            job.id,
                            times(needed / BUILD_MINUTES)
                        ),
                        format!("timeout-minutes: {needed} or more"),
                        "add it, so that a job that hangs is stopped and its logs are kept",
                    );
                }
                continue;
            };
            let place = Location::at(workflow.path(), node.at());
            let Some(minutes) = node.text().and_then(|text| text.trim().parse::<u64>().ok()) else {
                let dynamic = node.text().is_some_and(|text| text.contains("${{"));
                if !dynamic {
                    found.add(
                        place,
                        "`timeout-minutes` is not a whole number",
                        "a whole number",
                        "correct it",
                    );
                }
                continue;
            };
            if minutes < needed {
                let builds = needed / BUILD_MINUTES;
                found.add(
                    place.clone(),
                    format!("{minutes} minutes for {builds} builds of up to {BUILD_MINUTES}"),
                    format!("{needed} or more"),
                    Fix::with("timeout-minutes: {}", &[needed.to_string()]),
                );
            }
            if let Some(limit) = limit.filter(|limit| minutes > *limit) {
                found.add(
                    place,
                    format!(
                        "the limit is {minutes} minutes, but the runner stops every job after {limit}"
                    ),
                    format!("at most runner.timeout of {PATH}"),
                    Fix::with(
                        "raise `runner: timeout:` in {}, and ENDLESS_TASK_TIMEOUT of the server",
                        &[PATH],
                    ),
                );
            }
        }
    }
}

fn times(n: u64) -> String {
    if n == 1 { "once".into() } else { format!("{n} times") }
}

/// Number of builds of the product in a job.
fn builds(job: &WorkflowJob<'_>) -> u64 {
    let xtask = job.xtask();
    let of = |command: &str| match command {
        "verify" => 2,
        _ => 1,
    };
    xtask.iter().filter(|(_, x)| x.builds_product()).map(|(_, x)| of(&x.command)).sum()
}
