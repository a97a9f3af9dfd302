//! The runner's labels name images that the host can use.

use crate::finding::{Location, Severity};
use crate::model::runner::{PATH, Runner};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const LABEL: &str = "silvermetal-builder:docker://silvermetal-job:1";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "runner-images",
        what: "the runner's labels have the form `NAME:docker://IMAGE` or `NAME:host`; with an image that no registry has, `force_pull` is not true",
        why: "the runner takes an unknown scheme for a host or refuses to start; a forced pull of a local image fails every job before its first step",
        source: "the runner's labels.go and config.example.yaml, 3.3",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PATH, LABEL, "silvermetal-builder:dcoker://silvermetal-job:1", "dcoker"),
        replace(PATH, LABEL, "silvermetal-builder:docker://", "docker://"),
        replace(PATH, LABEL, "silvermetal-builder", "silvermetal-builder"),
        replace(PATH, "container:\n", "container:\n  force_pull: true\n", "force_pull"),
        legal(PATH, LABEL, "silvermetal-builder:host"),
        legal(PATH, LABEL, "silvermetal-builder:docker://registry.example.org:5000/job:1"),
        legal(PATH, "container:\n", "container:\n  force_pull: false\n"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(runner) = Runner::read(tree) else { return };
    let mut local = None;
    for (node, name) in runner.labels() {
        let text = node.text().unwrap_or_default();
        let scheme = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
        match scheme {
            Some("host") => {}
            Some(scheme) if scheme.strip_prefix("docker://").is_some_and(|i| !i.is_empty()) => {
                let image = scheme.trim_start_matches("docker://");
                let host = image.split_once('/').map_or("", |(host, _)| host);
                if !host.contains(['.', ':']) && !host.contains("localhost") {
                    local = Some(image);
                }
            }
            _ => found.add(
                Location::at(PATH, node.at()),
                format!("the label `{text}` names no image"),
                "NAME:docker://IMAGE, or NAME:host",
                "correct the label",
            ),
        }
    }
    let pull = runner.container("force_pull").filter(|node| YamlNode::is_true(node));
    if let (Some(node), Some(image)) = (pull, local) {
        found.add(
            Location::at(PATH, node.at()),
            format!("`force_pull` asks a registry for `{image}`, which is made on the host"),
            "no `force_pull`",
            "remove the line",
        );
    }
}
