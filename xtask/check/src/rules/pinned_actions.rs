//! Actions are pinned by commit.

use crate::finding::{Location, Severity};
use crate::model::workflow;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::pins::{Commit, ImageRef};
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "pinned-actions",
        what: "every `uses:` names a full commit (40 hex digits), an image by digest, or a folder of this repository",
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
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let reused = job.node.get("uses").into_iter();
            let nodes =
                reused.chain(job.steps().into_iter().filter_map(|step| step.node.get("uses")));
            for node in nodes {
                let text = node.text().unwrap_or_default();
                if text.starts_with("./") {
                    continue;
                }
                let place = Location::at(workflow.path(), node.at());
                if let Some(image) = text.strip_prefix("docker://") {
                    if image.parse::<ImageRef>().is_ok_and(|image| image.digest.is_some()) {
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
                        format!("git ls-remote https://github.com/{action} 'refs/tags/{version}*', and write `{action}@COMMIT # TAG`"),
                    );
                }
            }
        }
    }
}
