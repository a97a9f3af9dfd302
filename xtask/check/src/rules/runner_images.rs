//! The runner's labels name images that the host can use.

use crate::finding::{Location, Severity};
use crate::model::runner::{PATH, Runner};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

/// The page that says how to build the job image.
const DOCS: &str = "docs/ci-runner.md";
const LABEL: &str = "silvermetal-builder:docker://silvermetal-job:1";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "runner-images",
        what: "the runner's labels have the form `NAME:docker://IMAGE` or `NAME:host`; no name stands twice; an image that no registry has is the one that docs/ci-runner.md builds, and `force_pull` is not true",
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
        replace(PATH, LABEL, "silvermetal-builder:docker://silvermetal-job:7", "silvermetal-job:7"),
        replace(
            PATH,
            LABEL,
            "silvermetal-builder:docker://silvermetal-job:1\n    - silvermetal-builder:host",
            "silvermetal-builder:host",
        ),
        legal(PATH, LABEL, "silvermetal-builder:host"),
        legal(PATH, LABEL, "silvermetal-builder:docker://registry.example.org:5000/job:1"),
        legal(PATH, "container:\n", "container:\n  force_pull: false\n"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(runner) = Runner::read(tree) else { return };
    let mut local = None;
    let mut names: Vec<&str> = Vec::new();
    for (node, name) in runner.labels() {
        if names.contains(&name) {
            found.add(
                Location::at(PATH, node.at()),
                format!("the label `{name}` stands twice: only one of them counts"),
                "each name once",
                "remove one",
            );
        }
        names.push(name);
        let text = node.text().unwrap_or_default();
        let scheme = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
        match scheme {
            Some("host") => {}
            Some(scheme) if scheme.strip_prefix("docker://").is_some_and(|i| !i.is_empty()) => {
                let image = scheme.trim_start_matches("docker://");
                let host = image.split_once('/').map_or("", |(host, _)| host);
                if !host.contains(['.', ':']) && !host.contains("localhost") {
                    local = Some(image);
                    let built = |line: &str| line.split_whitespace().any(|word| word == image);
                    if tree.source(DOCS).is_some_and(|docs| !docs.text.lines().any(built)) {
                        found.add(
                            Location::at(PATH, node.at()),
                            format!("{DOCS} builds no image `{image}`"),
                            format!("`docker build --tag {image} …` there"),
                            "write the same number into both",
                        );
                    }
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
