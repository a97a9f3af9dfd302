//! `container.options` asks for nothing that the runner strips.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::container::options_of_text;
use crate::model::runner::{PATH, Runner};
use crate::model::workflow;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "runner-privileged",
        what: "while `privileged` is false, `container.options` has none of the options that the runner strips",
        why: "since 3.0 the runner drops --privileged, --cgroupns, --cap-add, --device and others with only a warning, and the job fails much later",
        source: "release notes of runner 3.0.0 (#1058)",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PATH, "  options: >-\n", "  options: >-\n    --privileged\n", "--privileged"),
        replace(PATH, "  options: >-\n", "  options: >-\n    --cgroupns=host\n", "--cgroupns"),
    ],
};

/// The runner's `sanitizeOptionsHostConfig`, 3.3.
const STRIPPED: [&str; 15] = [
    "--privileged",
    "--pid",
    "--ipc",
    "--uts",
    "--cgroupns",
    "--userns",
    "--cap-add",
    "--security-opt",
    "--device",
    "--device-cgroup-rule",
    "--gpus",
    "--volumes-from",
    "--runtime",
    "--cgroup-parent",
    "--sysctl",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(runner) = Runner::read(tree) else { return };
    if runner.is_on("privileged") {
        return;
    }
    let mut all: Vec<(String, String, usize)> = runner
        .options()
        .into_iter()
        .map(|option| (PATH.to_owned(), option.name, option.line))
        .collect();
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let options = job.node.path(&["container", "options"]);
            let options =
                options.and_then(|node| Some(options_of_text(node.unfolded()?, node.line)));
            let options = options.unwrap_or_default().into_iter();
            all.extend(
                options.map(|option| (workflow.path().to_owned(), option.name, option.line)),
            );
        }
    }
    for (path, name, line) in all {
        if STRIPPED.contains(&name.as_str()) {
            found.add(
                Location::line(&path, line),
                format!("the runner strips {name}: `privileged` is false"),
                "no such option, or `privileged: true`",
                Fix::with("remove {}: the job needs only the engine's socket", &[name]),
            );
        }
    }
}
