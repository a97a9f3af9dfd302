//! Workflows and the runner's configuration are YAML of the right shape.

use crate::finding::{Location, Severity};
use crate::model::{runner, workflow};
use crate::parse::yaml::{Value, YamlNode};
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "yaml",
        what: "each workflow, and the runner's configuration, is one YAML document without duplicate keys; a workflow has `on`, and jobs with steps",
        why: "Gitea shows no run for a workflow that it cannot read; of two equal keys, one silently wins",
        source: "Gitea's workflow parser",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "jobs:\n", "jobs: [\n", ""),
        replace(
            WORKFLOW,
            "name: build-iso-linux\n",
            "name: build-iso-linux\nname: twice\n",
            "name: twice",
        ),
        edit(
            WORKFLOW,
            FixtureEdit::Append(
                "  extra:\n    needs: check\n    runs-on: silvermetal-builder\n    steps: later\n",
            ),
            "later",
        ),
        replace(
            ".gitea/runner/config.yaml",
            "container:\n",
            "container:\n\tprivileged: true\n",
            "",
        ),
        edit(
            ".gitea/runner/config.yaml",
            FixtureEdit::Append(
                "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
            ),
            "e: &e",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for source in tree.sources() {
        let path = &source.path;
        let is_workflow = workflow::is_workflow(path);
        let ours =
            path.starts_with(".gitea/") && (path.ends_with(".yaml") || path.ends_with(".yml"));
        if !is_workflow && !ours && path != runner::PATH {
            continue;
        }
        match source.yaml() {
            Err(error) => found.add(
                Location::at(path, (error.line, error.column)),
                format!("not YAML: {}", error.what),
                "one YAML document without duplicate keys",
                "correct the line; indent with blanks, not tabs",
            ),
            Ok(root) if is_workflow => shape(path, root, found),
            Ok(root) if !matches!(root.value, Value::Map(_)) => {
                found.add(
                    Location::at(path, root.at()),
                    "the file is not a mapping",
                    "`key: value` lines",
                    "restore the file",
                );
            }
            Ok(_) => {}
        }
    }
}

fn shape(path: &str, root: &YamlNode, found: &mut Findings) {
    let mut wrong = |node: &YamlNode, what: String, expected: &str| {
        found.add(
            Location::at(path, node.at()),
            what,
            expected,
            "correct the line; Gitea cannot use the file as it is",
        );
    };
    for key in ["on", "jobs"] {
        if root.get(key).is_none_or(YamlNode::is_null) {
            wrong(root, format!("the workflow has no `{key}`"), "`on:` and `jobs:`");
        }
    }
    let jobs = match root.get("jobs") {
        Some(jobs) if matches!(jobs.value, Value::Map(_)) => jobs,
        Some(jobs) if !jobs.is_null() => {
            return wrong(jobs, "`jobs` is not a mapping".into(), "`NAME:` with a job below it");
        }
        _ => return,
    };
    for (key, job) in jobs.entries() {
        let id = key.text().unwrap_or_default();
        let Some(steps) = job.get("steps") else {
            if job.get("uses").is_none() {
                wrong(key, format!("job `{id}` has no steps"), "`steps:`, a list");
            }
            continue;
        };
        let Value::List(items) = &steps.value else {
            wrong(steps, format!("`steps` of job `{id}` is not a list"), "`- name: …` lines");
            continue;
        };
        for step in items {
            let (run, uses) = (step.get("run"), step.get("uses"));
            if run.is_some() == uses.is_some() {
                let what = if run.is_some() {
                    "both `run` and `uses`"
                } else {
                    "neither `run` nor `uses`"
                };
                wrong(step, format!("a step of job `{id}` has {what}"), "one of them");
            }
        }
    }
}
