//! Every key of a workflow takes effect on the declared Gitea and runner.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::versions::{self, PATH, Version, Versions};
use crate::model::workflow::{self, Workflow};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::names::nearest;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-keys",
        what: "every key of a workflow exists, and the versions of Gitea and its runner in .gitea/versions.toml support it",
        why: "Gitea ignores unknown keys without a message: two runs at once despite `concurrency`, a job without its time limit",
        source: "Gitea's manual, \"Compared to GitHub Actions\"; release notes of runner 2.0.0",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PATH, "gitea = \"1.26.0\"", "gitea = \"1.25.4\"", ""),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    environment: production\n",
            "environment:",
        ),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout_minutes: 15\n",
            "timeout_minutes",
        ),
        replace(WORKFLOW, "        id: push\n", "        idd: push2\n        id: push\n", "idd:"),
        replace(WORKFLOW, "permissions:\n", "permission:\n", "permission:"),
        replace(WORKFLOW, "  pull_request:\n", "  pull_requests:\n", "pull_requests:"),
        replace(
            WORKFLOW,
            "    tags: ['v*']\n",
            "    tags: ['v*']\n    path: [linux/**]\n",
            "path:",
        ),
        replace(WORKFLOW, "      matrix:\n", "      failfast: false\n      matrix:\n", "failfast"),
        replace(
            WORKFLOW,
            "          submodules: recursive\n",
            "          submodules: recursive\n          persist-credential: false\n",
            "persist-credential:",
        ),
    ],
};

/// The program that supports a key, and since which version. `None` if nothing supports it.
type Since = Option<(&'static str, &'static [u64])>;

const ALWAYS: Since = Some(("gitea", &[1, 19]));
const GITEA_1_26: Since = Some(("gitea", &[1, 26]));
const RUNNER_2: Since = Some(("runner", &[2, 0]));

const TOP: &[(&str, Since)] = &[
    ("name", ALWAYS),
    ("run-name", Some(("gitea", &[1, 24]))),
    ("on", ALWAYS),
    ("env", ALWAYS),
    ("defaults", ALWAYS),
    ("jobs", ALWAYS),
    ("permissions", GITEA_1_26),
    ("concurrency", GITEA_1_26),
];

const JOB: &[(&str, Since)] = &[
    ("name", ALWAYS),
    ("needs", ALWAYS),
    ("if", ALWAYS),
    ("runs-on", ALWAYS),
    ("env", ALWAYS),
    ("defaults", ALWAYS),
    ("steps", ALWAYS),
    ("outputs", ALWAYS),
    ("strategy", ALWAYS),
    ("container", ALWAYS),
    ("services", ALWAYS),
    ("uses", ALWAYS),
    ("with", ALWAYS),
    ("secrets", ALWAYS),
    ("permissions", GITEA_1_26),
    ("concurrency", GITEA_1_26),
    ("timeout-minutes", RUNNER_2),
    ("continue-on-error", RUNNER_2),
    ("environment", None),
];

const STEP: &[(&str, Since)] = &[
    ("id", ALWAYS),
    ("if", ALWAYS),
    ("name", ALWAYS),
    ("uses", ALWAYS),
    ("run", ALWAYS),
    ("with", ALWAYS),
    ("env", ALWAYS),
    ("shell", ALWAYS),
    ("working-directory", ALWAYS),
    ("continue-on-error", ALWAYS),
    ("timeout-minutes", ALWAYS),
];

const FILTERS: &[&str] =
    &["branches", "branches-ignore", "paths", "paths-ignore", "tags", "tags-ignore", "types"];
const CONTAINER: &[&str] = &["credentials", "env", "image", "options", "ports", "volumes"];

/// Known keys below other keys, by path. `*` is any key.
const BELOW: &[(&[&str], &[&str])] = &[
    (&["on", "push"], FILTERS),
    (&["on", "pull_request"], FILTERS),
    (&["on", "pull_request_target"], FILTERS),
    (&["on", "workflow_dispatch"], &["inputs"]),
    (
        &["on", "workflow_dispatch", "inputs", "*"],
        &["default", "deprecationMessage", "description", "options", "required", "type"],
    ),
    (&["defaults"], &["run"]),
    (&["defaults", "run"], &["shell", "working-directory"]),
    (&["concurrency"], &["cancel-in-progress", "group", "queue"]),
    (&["jobs", "*", "concurrency"], &["cancel-in-progress", "group", "queue"]),
    (&["jobs", "*", "strategy"], &["fail-fast", "matrix", "max-parallel"]),
    (&["jobs", "*", "container"], CONTAINER),
    (&["jobs", "*", "services", "*"], CONTAINER),
    (&["jobs", "*", "defaults"], &["run"]),
    (&["jobs", "*", "defaults", "run"], &["shell", "working-directory"]),
];

/// Inputs of the actions in use, from the action.yml of v4.
const INPUTS: &[(&str, &[&str])] = &[
    (
        "actions/checkout",
        &[
            "clean",
            "fetch-depth",
            "fetch-tags",
            "filter",
            "github-server-url",
            "lfs",
            "path",
            "persist-credentials",
            "ref",
            "repository",
            "set-safe-directory",
            "show-progress",
            "sparse-checkout",
            "sparse-checkout-cone-mode",
            "ssh-key",
            "ssh-known-hosts",
            "ssh-strict",
            "ssh-user",
            "submodules",
            "token",
        ],
    ),
    (
        "actions/upload-artifact",
        &[
            "archive",
            "compression-level",
            "if-no-files-found",
            "include-hidden-files",
            "name",
            "overwrite",
            "path",
            "retention-days",
        ],
    ),
    (
        "actions/download-artifact",
        &[
            "artifact-ids",
            "digest-mismatch",
            "github-token",
            "merge-multiple",
            "name",
            "path",
            "pattern",
            "repository",
            "run-id",
            "skip-decompress",
        ],
    ),
];

/// Values of inputs, from the actions' READMEs.
const VALUES: &[(&str, &[&str])] = &[
    ("if-no-files-found", &["warn", "error", "ignore"]),
    ("submodules", &["true", "false", "recursive"]),
    ("persist-credentials", &["true", "false"]),
    ("merge-multiple", &["true", "false"]),
    ("overwrite", &["true", "false"]),
];

pub(crate) const EVENTS: &[&str] = &[
    "create",
    "delete",
    "fork",
    "gollum",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_comment",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_target",
    "push",
    "registry_package",
    "release",
    "schedule",
    "workflow_call",
    "workflow_dispatch",
    "workflow_run",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    let versions = versions::read(tree);
    for workflow in workflow::all(tree) {
        keys(&workflow, workflow.root, TOP, "a workflow", &versions, found);
        for job in workflow.jobs() {
            keys(&workflow, job.node, JOB, "a job", &versions, found);
            for step in job.steps() {
                keys(&workflow, step.node, STEP, "a step", &versions, found);
                let inputs = INPUTS.iter().find(|(action, _)| step.is_action(action));
                if let (Some((action, inputs)), Some(with)) = (inputs, step.node.get("with")) {
                    names(&workflow, with, inputs, &format!("`{action}`"), found);
                    values(&workflow, with, found);
                }
            }
        }
        for (path, known) in BELOW {
            for node in at(workflow.root, path) {
                names(&workflow, node, known, &format!("`{}`", path.join(".")), found);
            }
        }
        events(&workflow, found);
    }
}

fn events(workflow: &Workflow<'_>, found: &mut Findings) {
    for event in workflow.event_nodes() {
        let name = event.text().unwrap_or_default();
        if !EVENTS.contains(&name) {
            let place = Location::at(workflow.path(), event.at());
            let expected = format!("one of {}", nearest(name, EVENTS.iter().copied()).join(", "));
            found.add(
                place,
                format!("no event is named `{name}`, so it starts no run"),
                expected,
                "correct the name",
            );
        }
    }
}

/// Inputs with few possible values. An expression's value is not known here.
fn values(workflow: &Workflow<'_>, with: &YamlNode, found: &mut Findings) {
    for (name, possible) in VALUES {
        let node = with.get(name).filter(|node| node.text().is_some_and(|t| !t.contains("${{")));
        let Some(node) = node else { continue };
        let text = node.text().unwrap_or_default();
        if !possible.contains(&text) {
            let place = Location::at(workflow.path(), node.at());
            let expected = format!("one of {}", possible.join(", "));
            found.add(place, format!("`{name}: {text}` is no value of it"), expected, "correct it");
        }
    }
}

/// The nodes at a path of keys.
fn at<'a>(node: &'a YamlNode, path: &[&str]) -> Vec<&'a YamlNode> {
    let Some((first, rest)) = path.split_first() else { return vec![node] };
    let wanted =
        node.entries().iter().filter(|(key, _)| *first == "*" || key.text() == Some(first));
    wanted.flat_map(|(_, value)| at(value, rest)).collect()
}

fn names(
    workflow: &Workflow<'_>,
    node: &YamlNode,
    known: &[&str],
    whose: &str,
    found: &mut Findings,
) {
    for (key, _) in node.entries() {
        let name = key.text().unwrap_or_default();
        if !known.contains(&name) && name != "<<" {
            let place = Location::at(workflow.path(), key.at());
            let expected = format!("one of {}", nearest(name, known.iter().copied()).join(", "));
            found.add(
                place,
                format!("{whose} has no key `{name}`, so it is ignored"),
                expected,
                "correct the name, or remove it",
            );
        }
    }
}

fn keys(
    workflow: &Workflow<'_>,
    node: &YamlNode,
    known: &[(&str, Since)],
    whose: &str,
    versions: &Versions,
    found: &mut Findings,
) {
    for (key, _) in node.entries() {
        let name = key.text().unwrap_or_default();
        let place = Location::at(workflow.path(), key.at());
        let Some((_, since)) = known.iter().find(|(known, _)| *known == name) else {
            let names = known.iter().filter(|(_, since)| since.is_some()).map(|(name, _)| *name);
            found.add(
                place,
                format!("{whose} has no key `{name}`, so it is ignored"),
                format!("one of {}", nearest(name, names).join(", ")),
                "correct the name, or remove it",
            );
            continue;
        };
        let Some((program, needed)) = since else {
            found.add(
                place,
                format!("`{name}` is ignored by every Gitea"),
                "no such key",
                "remove it",
            );
            continue;
        };
        let needed = Version(needed.to_vec());
        let declared = if *program == "gitea" { &versions.gitea } else { &versions.runner };
        if let Some(declared) = declared.as_ref().filter(|declared| **declared < needed) {
            found.add(
                place,
                format!("`{name}` is ignored by {program} {declared}, which {PATH} declares"),
                format!("{program} {needed} or newer"),
                Fix::with("upgrade {} and its line in {}, or remove the key", &[*program, PATH]),
            );
        }
    }
}
