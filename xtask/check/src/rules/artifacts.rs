//! Artifacts are uploaded before they are downloaded, under legal names.

use crate::finding::{Location, Severity};
use crate::model::workflow::{self, Workflow, WorkflowJob, WorkflowStep};
use crate::parse::expression::{TextPart, parse, parts};
use crate::parse::pattern::{self, Star};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "artifacts",
        what: "every downloaded artifact is uploaded by a needed job or an earlier step; names have no character that the server refuses, and `path` has one path per line",
        why: "the job fails at the download or at the upload, after the hours that made the artifact",
        source: "actions/download-artifact#220, getsentry/craft#742; actions/toolkit, path-and-artifact-name-validation.ts",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "          name: iso\n      - env:",
            "          name: isos\n      - env:",
            "name: isos",
        ),
        replace(
            WORKFLOW,
            "          name: build-b\n",
            "          name: builds-b\n",
            "name: builds-b",
        ),
        replace(WORKFLOW, "        side: [a, b]\n", "        side: [a]\n", "name: build-b"),
        replace(
            WORKFLOW,
            "    needs: build-apart\n",
            "    needs: builder-image\n",
            "name: build-a",
        ),
        replace(
            WORKFLOW,
            "          name: diagnosis\n",
            "          name: diagnosis/1\n",
            "diagnosis/1",
        ),
        replace(
            WORKFLOW,
            "          name: diagnosis\n",
            "          name: \"diagnosis: ${{ github.run_id }}\"\n",
            "diagnosis:",
        ),
        replace(
            WORKFLOW,
            "          name: diagnosis\n",
            "          name: diagnosis-${{ github.ref }}\n",
            "github.ref",
        ),
        replace(
            WORKFLOW,
            "          path: verify.json\n      - name: keep the ISO",
            "          path: verify.json verify.txt\n      - name: keep the ISO",
            "verify.txt",
        ),
        legal(
            WORKFLOW,
            "          name: diagnosis\n",
            "          name: diagnosis-${{ github.run_id }}-${{ github.sha }}\n",
        ),
        legal(
            WORKFLOW,
            "          name: iso\n      - env:",
            "          pattern: is*\n      - env:",
        ),
        legal(
            WORKFLOW,
            "          path: verify.json\n      - name: keep the ISO",
            "          path: |\n            verify.json\n            logs/${{ github.sha }}\n      - name: keep the ISO",
        ),
        legal(
            WORKFLOW,
            "          path: verify.json\n      - name: keep the ISO",
            "          path: logs-${{ github.sha }}\n      - name: keep the ISO",
        ),
    ],
};

/// Characters that actions/toolkit refuses in a name.
const ILLEGAL: [char; 11] = ['"', ':', '<', '>', '|', '*', '?', '\\', '/', '\r', '\n'];
/// Values with a slash: refs, branch names of any form, and paths.
const WITH_SLASHES: [&str; 7] = [
    "github.ref",
    "github.ref_name",
    "github.head_ref",
    "github.base_ref",
    "github.repository",
    "github.workspace",
    "github.workflow_ref",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            for (n, step) in job.steps().iter().enumerate() {
                if step.is_action("actions/upload-artifact") {
                    upload(&workflow, step, found);
                }
                if step.is_action("actions/download-artifact") && step.with("run-id").is_none() {
                    download(&workflow, &job, n, step, found);
                }
            }
        }
    }
}

fn upload(workflow: &Workflow<'_>, step: &WorkflowStep<'_>, found: &mut Findings) {
    if let Some(node) = step.with("name") {
        let text = node.text().unwrap_or_default();
        if let Some(why) = illegal(text) {
            found.add(
                Location::at(workflow.path(), node.at()),
                format!("the artifact's name has {why}"),
                "letters, digits, `-`, `_` and `.`",
                "change the name",
            );
        }
    }
    let Some(node) = step.with("path") else { return };
    for line in node.text().unwrap_or_default().lines() {
        let words = outside(line.trim());
        if words.split_whitespace().count() > 1 || words.contains(',') {
            found.add(
                Location::at(workflow.path(), node.at()),
                format!("`{}` is one path, with blanks or commas in it", line.trim()),
                "one path per line",
                "write `path: |` and each path on its own line",
            );
        }
    }
}

/// A value without its expressions.
fn outside(text: &str) -> String {
    let literals = parts(text).into_iter().map(|part| match part {
        TextPart::Literal(text) => text,
        TextPart::Expression(..) => "x".to_owned(),
    });
    literals.collect()
}

fn illegal(name: &str) -> Option<String> {
    if let Some(c) = outside(name).chars().find(|c| ILLEGAL.contains(c)) {
        return Some(format!("the character {c:?}, which is not allowed"));
    }
    let expressions = parts(name).into_iter().filter_map(|part| match part {
        TextPart::Expression(_, text) => Some(parse(&text)),
        TextPart::Literal(_) => None,
    });
    let slashes = |name: &String| WITH_SLASHES.contains(&name.as_str());
    let names = expressions.flat_map(|expr| {
        expr.references().into_iter().map(|words| words.join(".")).collect::<Vec<_>>()
    });
    names.into_iter().find(slashes).map(|name| format!("`{name}`, whose value may have a slash"))
}

fn download(
    workflow: &Workflow<'_>,
    job: &WorkflowJob<'_>,
    n: usize,
    step: &WorkflowStep<'_>,
    found: &mut Findings,
) {
    let ancestors = workflow.ancestors(job);
    let before = job.steps().into_iter().take(n).map(|step| (*job, step));
    let uploads: Vec<String> = ancestors
        .iter()
        .flat_map(|job| job.steps().into_iter().map(|step| (*job, step)))
        .chain(before)
        .filter(|(_, step)| step.is_action("actions/upload-artifact"))
        .flat_map(|(job, step)| {
            let name = step.with("name").and_then(YamlNode::text);
            in_matrix(&job, name.unwrap_or("artifact"))
        })
        .collect();
    let node = step.with("name").or_else(|| step.with("pattern"));
    let wanted = as_pattern(node.and_then(YamlNode::text).unwrap_or("*"));
    if uploads.iter().any(|name| overlap(name, &wanted)) {
        return;
    }
    let at = node.or_else(|| step.node.get("uses")).map_or(step.at(), YamlNode::at);
    let expected = match uploads.is_empty() {
        true => "a job in `needs:` that uploads it".to_owned(),
        false => format!("an artifact of the needed jobs: {}", uploads.join(", ")),
    };
    found.add(
        Location::at(workflow.path(), at),
        format!("no needed job and no earlier step uploads `{wanted}`"),
        expected,
        "correct the name, or add the job that uploads it to `needs:`",
    );
}

/// The names that the jobs of a matrix give, with `*` for each other expression.
fn in_matrix(job: &WorkflowJob<'_>, name: &str) -> Vec<String> {
    let matrix = job.node.path(&["strategy", "matrix"]).map(YamlNode::entries).unwrap_or_default();
    // `include` and `exclude` change the values
    if matrix.iter().any(|(key, _)| matches!(key.text(), Some("include" | "exclude"))) {
        return vec![as_pattern(name)];
    }
    let mut names = vec![name.to_owned()];
    for (key, values) in matrix {
        let key = format!("matrix.{}", key.text().unwrap_or_default());
        let expression = parts(name).into_iter().find_map(|part| match part {
            TextPart::Expression(_, text) if text.trim() == key => Some(format!("${{{{{text}}}}}")),
            _ => None,
        });
        let values: Vec<&str> = values.items().into_iter().filter_map(YamlNode::text).collect();
        let (Some(expression), false) = (expression, values.iter().any(|v| v.contains("${{")))
        else {
            continue;
        };
        names = names
            .iter()
            .flat_map(|name| values.iter().map(|value| name.replace(&expression, value)))
            .collect();
    }
    names.iter().map(|name| as_pattern(name)).collect()
}

/// The name with `*` for each expression.
fn as_pattern(name: &str) -> String {
    let parts = parts(name).into_iter().map(|part| match part {
        TextPart::Literal(text) => text,
        TextPart::Expression(..) => "*".to_owned(),
    });
    parts.collect()
}

/// True if one of two patterns may be a name that the other matches.
fn overlap(a: &str, b: &str) -> bool {
    let matches = |pattern: &str, name: &str| {
        pattern::matches(pattern, &name.replace('*', "x"), Star::AcrossSlashes)
    };
    matches(a, b) || matches(b, a)
}
