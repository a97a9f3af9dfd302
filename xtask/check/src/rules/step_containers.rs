//! Containers that steps start have names and labels, and are removed.

use crate::finding::{Location, Severity};
use crate::model::container::{ContainerRun, verb};
use crate::model::scenario::Scenario;
use crate::model::workflow::{self, WorkflowJob, WorkflowStep};
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "step-containers",
        what: "every container that a step starts has a name and a label, and a later step with `if: always()` removes it (`cargo xtask clean`)",
        why: "a cancelled run removes only the job's own container: a builder continues for hours, and later builds share the machine with it",
        source: "go-gitea/gitea's runner, which ends only the job's own container",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "        if: always()\n        run: cargo xtask clean --running # after the build\n",
            "        run: cargo xtask clean --running\n",
            "build-and-verify:",
        ),
        replace(
            WORKFLOW,
            "        if: always()\n        run: cargo xtask clean --running # after the build\n",
            "        if: always()\n        run: cargo xtask check\n",
            "build-and-verify:",
        ),
        replace(
            WORKFLOW,
            "        run: cargo xtask doctor\n",
            "        run: |\n          cargo xtask doctor\n          docker run --rm --label a=b debian:trixie true\n",
            "docker run",
        ),
        replace(
            WORKFLOW,
            "        if: always()\n        run: cargo xtask clean --running # after the build\n",
            "        if: ${{ !cancelled() }}\n        run: cargo xtask clean --running\n",
            "build-and-verify:",
        ),
        replace(
            WORKFLOW,
            "        if: always()\n        run: cargo xtask clean --running # after the build\n",
            "        if: ${{ !always() }}\n        run: cargo xtask clean --running\n",
            "build-and-verify:",
        ),
        replace(
            WORKFLOW,
            "        if: always()\n        run: cargo xtask clean --running # after the build\n",
            "        if: always() && github.ref == 'refs/heads/main'\n        run: cargo xtask clean --running\n",
            "build-and-verify:",
        ),
        legal(
            WORKFLOW,
            "        if: always()\n        run: cargo xtask clean --running # after the build\n",
            "        if: ${{ success() || failure() || cancelled() }}\n        run: cargo xtask clean --running\n",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let mut last_start = None;
            for (n, step) in job.steps().iter().enumerate() {
                if step.xtask().iter().any(|(_, x)| x.starts_containers()) {
                    last_start = Some(n);
                }
                for command in step.commands() {
                    let Some(run) = ContainerRun::of(&command)
                        .filter(|run| run.verb != "exec" && !run.composed)
                    else {
                        continue;
                    };
                    last_start = Some(n);
                    let lacks: Vec<&str> = ["--name", "--label"]
                        .into_iter()
                        .filter(|option| !run.has(option))
                        .collect();
                    if !lacks.is_empty() {
                        found.add(
                            Location::line(workflow.path(), run.line),
                            format!("`{}` has no {}", command.shown(), lacks.join(" and no ")),
                            "--name and --label, so that it can be found and removed",
                            "add them, or start it through cargo xtask, which does",
                        );
                    }
                }
            }
            if let Some(last) = last_start
                && !sweeps(&job, last)
            {
                found.add(
                    Location::at(workflow.path(), job.key.at()),
                    format!(
                        "job `{}` starts containers, but no step removes them in every case: success, failure and cancel",
                        job.id
                    ),
                    "a later step with `if: always()` and `run: cargo xtask clean`",
                    "add the step at the job's end",
                );
            }
        }
    }
}

fn sweeps(job: &WorkflowJob<'_>, after: usize) -> bool {
    job.steps().iter().skip(after + 1).any(|step| Scenario::step_always_runs(step) && cleans(step))
}

fn cleans(step: &WorkflowStep<'_>) -> bool {
    let by_xtask = step.xtask().iter().any(|(_, x)| x.command == "clean");
    let by_engine = |command: &crate::parse::shell::ShellCommand| {
        verb(command).is_some_and(|(_, verb, _)| matches!(verb.as_str(), "rm" | "stop" | "kill"))
            || (command.program() == "docker" && command.shown().contains("rm"))
    };
    by_xtask || step.commands().iter().any(|c| by_engine(c) || c.shown().contains("docker rm"))
}
