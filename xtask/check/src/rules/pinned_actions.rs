//! Actions are pinned by commit.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::runner::Runner;
use crate::model::workflow::{self, Workflow, WorkflowJob};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::pins::{Commit, ImageRef};
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "pinned-actions",
        what: "every `uses:` names a full commit (40 hex digits), an image by digest, or an action in a folder of this repository; images of `container:` and `services:` have a digest, or are the runner's own",
        why: "a tag can be moved to other code, and that code then sees the registry's password",
        source: "tj-actions/changed-files, March 2025 (CVE-2025-30066)",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "actions/checkout@34e114876b0b11c390a56381ad16ebd13914f8d5 # v4.3.1",
            "actions/checkout@v4",
            "checkout@v4",
        ),
        replace(
            WORKFLOW,
            "actions/checkout@34e114876b0b11c390a56381ad16ebd13914f8d5",
            "actions/checkout@34e114876b0b",
            "checkout@34e114876b0b",
        ),
        replace(
            WORKFLOW,
            "actions/checkout@34e114876b0b11c390a56381ad16ebd13914f8d5",
            "actions/checkout",
            "actions/checkout",
        ),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    container: debian:trixie\n",
            "debian:trixie",
        ),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    services:\n      web:\n        image: nginx\n",
            "nginx",
        ),
        replace(
            WORKFLOW,
            "      - run: cargo xtask check --fail-on error\n",
            "      - run: cargo xtask check --fail-on error\n      - uses: ./.gitea/actions/notify\n",
            "notify",
        ),
        legal(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    container:\n      image: silvermetal-job:1\n",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let runner = Runner::read(tree);
    let labels = runner.as_ref().map(Runner::labels).unwrap_or_default();
    let own: Vec<&str> = labels
        .iter()
        .filter_map(|(node, _)| node.text()?.split_once("docker://").map(|(_, image)| image))
        .collect();
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            images(&workflow, &job, &own, found);
            let reused = job.node.get("uses").into_iter();
            let nodes =
                reused.chain(job.steps().into_iter().filter_map(|step| step.node.get("uses")));
            for node in nodes {
                let text = node.text().unwrap_or_default();
                let place = Location::at(workflow.path(), node.at());
                if let Some(path) = text.strip_prefix("./") {
                    if !fetches_more(&job) && !is_action(tree, path) {
                        let what = format!("this repository has no action in `{path}`");
                        found.add(place, what, "a folder with an action.yml", "correct the path");
                    }
                    continue;
                }
                if let Some(image) = text.strip_prefix("docker://") {
                    if has_digest(image) {
                        continue;
                    }
                    found.add(
                        place,
                        format!("`{text}` names no digest"),
                        "docker://IMAGE@sha256:…",
                        "add the digest",
                    );
                    continue;
                }
                let (action, version) = text.split_once('@').unwrap_or((text, ""));
                if version.parse::<Commit>().is_err() {
                    let what = if version.is_empty() {
                        "no version".into()
                    } else {
                        format!("`{version}`")
                    };
                    found.add(
                        place,
                        format!("`{action}` is pinned by {what}"),
                        "a full commit id: 40 lower-case hex digits",
                        Fix::with(
                            "git ls-remote {} {}, and write {}@COMMIT # TAG",
                            &[
                                format!("https://github.com/{action}").as_str(),
                                format!("refs/tags/{version}*").as_str(),
                                action,
                            ],
                        ),
                    );
                }
            }
        }
    }
}

/// True for a folder with an action, or a workflow that is called.
fn is_action(tree: &SourceTree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let called = path.ends_with(".yml") || path.ends_with(".yaml");
    let holds = |name: &str| tree.holds(&format!("{path}/{name}"));
    if called {
        tree.holds(path)
    } else {
        ["action.yml", "action.yaml", "Dockerfile"].iter().any(|name| holds(name))
    }
}

/// True if a checkout may bring folders that are not this repository's.
fn fetches_more(job: &WorkflowJob<'_>) -> bool {
    let steps = job.steps();
    let mut checkouts = steps.iter().filter(|step| step.is_action("actions/checkout"));
    checkouts.any(|step| step.with("path").is_some() || step.with("repository").is_some())
}

fn has_digest(image: &str) -> bool {
    image.parse::<ImageRef>().is_ok_and(|image| image.digest.is_some())
}

/// Images of the job's container and its services.
fn images(workflow: &Workflow<'_>, job: &WorkflowJob<'_>, own: &[&str], found: &mut Findings) {
    let services = job.node.get("services").map(YamlNode::entries).unwrap_or_default();
    let services = services.iter().map(|(_, node)| node);
    for node in job.node.get("container").into_iter().chain(services) {
        let node = node.get("image").unwrap_or(node);
        let text = node.text().unwrap_or_default();
        // an expression's value is not known here
        if !has_digest(text) && !own.contains(&text) && !text.contains("${{") && !text.is_empty() {
            found.add(
                Location::at(workflow.path(), node.at()),
                format!("the image `{text}` has no digest"),
                "IMAGE@sha256:…",
                "add the digest",
            );
        }
    }
}
