//! Jobs get the engine's socket.

use crate::finding::{Location, Severity};
use crate::model::runner::{PATH, Runner};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "runner-docker-host",
        what: "`container.docker_host` is not \"-\"",
        why: "with \"-\" the runner does not mount the engine's socket, and no job finds an engine",
        source: "the runner's config.example.yaml",
    },
    severity: Severity::Error,
    check,
    fixtures: &[replace(PATH, "container:\n", "container:\n  docker_host: \"-\"\n", "docker_host")],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(runner) = Runner::read(tree) else { return };
    let Some(node) = runner.container("docker_host") else { return };
    if node.text().is_some_and(|text| text.trim() == "-") {
        found.add(
            Location::at(PATH, node.at()),
            "docker_host is \"-\": jobs get no socket",
            "no docker_host, or unix:///var/run/docker.sock",
            "remove the line",
        );
    }
}
