//! Steps bind no path of the job's own container into another container.

use crate::finding::{Location, Severity};
use crate::model::container::{ContainerRun, mounts};
use crate::model::runner::Runner;
use crate::model::workflow;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workspace-binds",
        what: "no step binds the workspace into a container that it starts, unless the runner sets `bind_workdir: true` and lists the work folder in valid_volumes",
        why: "the job's workspace is a volume; the engine looks for the path on its own host, finds nothing, and mounts an empty folder",
        source: "go-gitea/gitea#23672, #33824, #34955",
    },
    severity: Severity::Error,
    check,
    fixtures: &[replace(
        WORKFLOW,
        "      - name: doctor\n        run: cargo xtask doctor\n",
        "      - name: doctor\n        run: |\n          cargo xtask doctor\n          docker run --rm --name a --label b=c --mount \"type=bind,src=$GITHUB_WORKSPACE,dst=/w\" debian:trixie true\n",
        "GITHUB_WORKSPACE",
    )],
};

/// Names of the workspace in scripts.
const NAMES: [&str; 6] =
    ["GITHUB_WORKSPACE", "github.workspace", "GITEA_WORKSPACE", "$PWD", "${PWD}", "$(pwd)"];

fn check(tree: &SourceTree, found: &mut Findings) {
    if Runner::read(tree).is_some_and(|runner| binds_workspace(&runner)) {
        return;
    }
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            for command in job.steps().iter().flat_map(|step| step.commands()) {
                let Some(run) = ContainerRun::of(&command) else { continue };
                for mount in mounts(&run.options).into_iter().filter(|mount| mount.bind) {
                    let relative = mount.source.starts_with('.');
                    if relative || NAMES.iter().any(|name| mount.source.contains(name)) {
                        found.add(
                            Location::line(workflow.path(), mount.line),
                            format!("`{}` is a path in the job's container, which the engine cannot see", mount.source),
                            "`cargo xtask …`, which translates paths, or a runner that binds its work folder",
                            "start the container through cargo xtask",
                        );
                    }
                }
            }
        }
    }
}

/// True if the workspace has the same path on the runner's host and may be mounted.
fn binds_workspace(runner: &Runner<'_>) -> bool {
    let parent =
        runner.container("workdir_parent").and_then(|node| node.text()).unwrap_or("workspace");
    let parent = format!("/{}", parent.trim_matches('/'));
    let listed =
        runner.valid_volumes().iter().filter_map(|node| node.text()).any(|text| {
            text == "**" || text == parent || text.trim_end_matches(['*', '/']) == parent
        });
    runner.is_on("bind_workdir") && listed
}
