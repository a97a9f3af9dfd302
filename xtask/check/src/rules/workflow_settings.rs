//! Secrets and variables of the repository are documented, under names that Gitea accepts.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::workflow;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const DOCS: &str = "docs/ci-runner.md";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-settings",
        what: "every secret and variable that a workflow reads is named in docs/ci-runner.md, and has no reserved prefix (GITEA_, GITHUB_)",
        why: "Gitea refuses to store a reserved name; nobody sets a name that no document mentions, and then it is an empty string",
        source: "Gitea's manual, secrets and variables",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "secrets.RELEASE_TOKEN", "secrets.GITEA_RELEASE_TOKEN", "GITEA_RELEASE"),
        replace(WORKFLOW, "secrets.RELEASE_TOKEN", "secrets.RELEASE_TOKENS", "RELEASE_TOKENS"),
        replace(WORKFLOW, "vars.BUILDER_REPOSITORY", "vars.BUILDER_REPO", "BUILDER_REPO"),
        replace(DOCS, "`RELEASE_TOKEN`", "the token", "RELEASE_TOKEN"),
        legal(WORKFLOW, "secrets.RELEASE_TOKEN", "secrets['release_token']"),
        legal(WORKFLOW, "secrets.RELEASE_TOKEN", "secrets.GITHUB_TOKEN"),
    ],
};

/// Secrets that every job has.
const BUILT_IN: [&str; 2] = ["GITHUB_TOKEN", "GITEA_TOKEN"];

fn check(tree: &SourceTree, found: &mut Findings) {
    let docs = tree.source(DOCS);
    for workflow in workflow::all(tree) {
        for (_, at, expr) in workflow.expressions() {
            for reference in expr.references() {
                let [context, name, ..] = reference.as_slice() else { continue };
                let kind = match context.as_str() {
                    "secrets" if !BUILT_IN.contains(&name.to_ascii_uppercase().as_str()) => {
                        "secret"
                    }
                    "vars" => "variable",
                    _ => continue,
                };
                let name = name.to_ascii_uppercase();
                let location = Location::at(workflow.path(), at);
                if name.starts_with("GITEA_") || name.starts_with("GITHUB_") {
                    found.add(
                        location,
                        format!("Gitea stores no {kind} named `{name}`: the prefix is reserved"),
                        "a name without GITEA_ and GITHUB_ in front",
                        "rename it, here and in the repository's settings",
                    );
                } else if name != "*"
                    && docs.is_some_and(|d| !d.text.contains(&format!("`{name}`")))
                {
                    found.add(
                        location,
                        format!("{DOCS} does not name the {kind} `{name}`"),
                        format!("`{name}` in its table of secrets and variables"),
                        Fix::with("correct the name, or describe it in {}", &[DOCS]),
                    );
                }
            }
        }
    }
}
