//! Builds that are compared share no folder and no artifact.

use crate::finding::{Location, Severity};
use crate::model::image::plain;
use crate::model::script::{self, Xtask};
use crate::model::workflow::{self, Workflow, WorkflowJob};
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "separate-builds",
        what: "builds that are compared have different output folders and artifact names, and a comparison names two different folders",
        why: "two builds in one folder are one build, and always identical: the verification means nothing",
        source: "docs/trust-model.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "--output \"$GITHUB_WORKSPACE/build-$SIDE\"",
            "--output \"$GITHUB_WORKSPACE/build\"",
            "--output",
        ),
        replace(
            WORKFLOW,
            "          path: build\n",
            "          path: build\n      - uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2\n        with:\n          name: logs\n          path: logs\n",
            "name: logs",
        ),
        replace(
            WORKFLOW,
            "verify --compare build-a build-b",
            "verify --compare build-a build-a",
            "--compare",
        ),
        replace(
            WORKFLOW,
            "          name: build-b\n",
            "          name: build-a\n",
            "name: build-a",
        ),
        replace(
            WORKFLOW,
            "          path: build-b # downloaded\n",
            "          path: build-a\n",
            "path: build-a",
        ),
        edit(
            "linux/build/scripts/verify-reproducibility.sh",
            FixtureEdit::Replace(
                "exec cargo",
                "cargo xtask iso --output out/a\ncargo xtask iso --output out/a/\nexec cargo",
            ),
            "out/a/",
        ),
    ],
};

const FIX: &str = "give each build its own folder, or let `cargo xtask verify` build both";

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let xtask = job.xtask();
            outputs(workflow.path(), &xtask, found);
            if job.has_matrix() {
                matrix(&workflow, &job, &xtask, found);
            }
            artifacts(&workflow, &job, found);
        }
        across(&workflow, found);
    }
    for source in script::scripts(tree) {
        let commands = source.commands();
        let xtask: Vec<_> = commands.iter().filter_map(|c| Some((c.line, Xtask::of(c)?))).collect();
        outputs(&source.path, &xtask, found);
    }
}

fn outputs(path: &str, xtask: &[(usize, Xtask)], found: &mut Findings) {
    let mut seen: Vec<(String, usize)> = Vec::new();
    for (line, x) in xtask {
        if x.command == "verify" && x.args.iter().any(|arg| arg == "--compare") {
            let folders: Vec<String> =
                x.args.iter().filter(|arg| !arg.starts_with('-')).map(|arg| plain(arg)).collect();
            if let [a, b, ..] = folders.as_slice()
                && a == b
            {
                let what = format!("`{a}` is compared with itself");
                found.add(
                    Location::line(path, *line),
                    what,
                    "two folders",
                    "name the other build's folder",
                );
            }
        }
        if x.command != "iso" {
            continue;
        }
        let Some(output) = x.value("--output").map(plain) else { continue };
        let inside = |a: &str, b: &str| a == b || b.starts_with(&format!("{a}/"));
        if let Some((other, first)) =
            seen.iter().find(|(other, _)| inside(other, &output) || inside(&output, other))
        {
            let what = format!("builds into `{output}`, and line {first} into `{other}`");
            found.add(Location::line(path, *line), what, "separate folders", FIX);
        }
        seen.push((output, *line));
    }
}

/// The jobs of a matrix share one text, so names in it must contain a matrix value.
fn matrix(
    workflow: &Workflow<'_>,
    job: &WorkflowJob<'_>,
    xtask: &[(usize, Xtask)],
    found: &mut Findings,
) {
    let steps = job.node.get("steps").into_iter();
    let environment = job.node.get("env").map(|env| env.entries()).unwrap_or_default();
    let mut names: Vec<&str> = Vec::new();
    for (key, value) in environment {
        if value.text().is_some_and(|text| text.contains("matrix.")) {
            names.extend(key.text());
        }
    }
    for step in steps.flat_map(|steps| steps.items()) {
        for (key, value) in step.get("env").map(|env| env.entries()).unwrap_or_default() {
            if value.text().is_some_and(|text| text.contains("matrix.")) {
                names.extend(key.text());
            }
        }
    }
    let varies =
        |text: &str| text.contains("matrix.") || names.iter().any(|name| text.contains(name));
    for (line, x) in xtask.iter().filter(|(_, x)| x.command == "iso") {
        if let Some(output) = x.value("--output").filter(|output| !varies(output)) {
            let what = format!("every job of the matrix builds into `{output}`");
            found.add(
                Location::line(workflow.path(), *line),
                what,
                "a folder with the matrix's value in its name",
                FIX,
            );
        }
    }
    for step in job.steps().iter().filter(|step| step.is_action("actions/upload-artifact")) {
        if let Some(name) =
            step.with("name").filter(|name| !varies(name.text().unwrap_or_default()))
        {
            found.add(
                Location::at(workflow.path(), name.at()),
                format!(
                    "every job of the matrix uploads `{}`: the second upload fails or replaces the first",
                    name.text().unwrap_or_default()
                ),
                "`${{ matrix.… }}` in the name",
                "add it to the name",
            );
        }
    }
}

/// Artifacts of two jobs need different names, because all artifacts of a run share one namespace.
fn across(workflow: &Workflow<'_>, found: &mut Findings) {
    let jobs = workflow.jobs();
    let mut seen: Vec<(&str, &str, usize)> = Vec::new();
    for job in jobs.iter().filter(|job| job.xtask().iter().any(|(_, x)| x.command == "iso")) {
        let steps = job.steps();
        for node in steps
            .iter()
            .filter(|step| step.is_action("actions/upload-artifact"))
            .filter_map(|step| step.with("name"))
        {
            let name = node.text().unwrap_or_default();
            if let Some((_, other, line)) =
                seen.iter().find(|(n, other, _)| *n == name && *other != job.id)
            {
                let what = format!(
                    "job `{}` uploads `{name}`, and so does job `{other}` in line {line}",
                    job.id
                );
                found.add(
                    Location::at(workflow.path(), node.at()),
                    what,
                    "artifacts of different names",
                    FIX,
                );
            }
            seen.push((name, job.id, node.line));
        }
    }
}

fn artifacts(workflow: &Workflow<'_>, job: &WorkflowJob<'_>, found: &mut Findings) {
    for (action, key) in [
        ("actions/upload-artifact", "name"),
        ("actions/download-artifact", "path"),
        ("actions/download-artifact", "name"),
    ] {
        let mut seen: Vec<(&str, usize)> = Vec::new();
        let steps = job.steps();
        for node in
            steps.iter().filter(|step| step.is_action(action)).filter_map(|step| step.with(key))
        {
            let text = node.text().unwrap_or_default();
            if let Some((_, line)) = seen.iter().find(|(other, _)| *other == text) {
                let what = format!("`{text}` is already used in line {line}");
                let expected = if key == "name" {
                    "artifacts of different names"
                } else {
                    "one folder for each artifact"
                };
                found.add(Location::at(workflow.path(), node.at()), what, expected, FIX);
            }
            seen.push((text, node.line));
        }
    }
}
