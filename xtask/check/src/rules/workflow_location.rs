//! Workflows lie where Gitea looks for them.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::workflow::{FOLDER, GITHUB_FOLDER};
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const LINT: &[u8] = b"name: lint\non: push\njobs:\n  lint:\n    runs-on: silvermetal-builder\n    timeout-minutes: 5\n    steps:\n      - run: 'true'\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-location",
        what: "workflows lie in .gitea/workflows/ and end in .yaml or .yml",
        why: "Gitea reads only the first of .gitea/workflows and .github/workflows that exists: a workflow elsewhere never runs, without a message",
        source: "go-gitea/gitea#36612; Gitea's [actions] WORKFLOW_DIRS",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(".github/workflows/lint.yaml", FixtureEdit::Write(LINT), ""),
        edit(".gitea/workflow/lint.yaml", FixtureEdit::Write(LINT), ""),
        edit(".gitea/lint.yml", FixtureEdit::Write(LINT), ""),
        edit(".forgejo/workflows/lint.yml", FixtureEdit::Write(LINT), ""),
        edit(".gitea/workflows/lint.yaml.off", FixtureEdit::Write(LINT), ""),
        edit(".gitea/workflows/lint.yml", FixtureEdit::Write(LINT), "").legal(),
        edit(".github/ISSUE_TEMPLATE/bug.yaml", FixtureEdit::Write(b"name: bug\n"), "").legal(),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let in_gitea = tree.holds(FOLDER.trim_end_matches('/'));
    let paths: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
    for path in paths {
        if path.starts_with(FOLDER) || (!in_gitea && path.starts_with(GITHUB_FOLDER)) {
            let is_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
            if !is_yaml {
                let what = "Gitea reads only .yaml and .yml files here";
                found.add(Location::file(path), what, "NAME.yaml", "rename or remove the file");
            }
            continue;
        }
        let in_workflows = [".gitea/", ".github/", ".forgejo/"].iter().any(|folder| {
            path.strip_prefix(folder).is_some_and(|rest| rest.starts_with("workflow"))
        });
        let is_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
        let has_jobs = || {
            let root = tree.source(path).and_then(|source| source.yaml().ok());
            root.is_some_and(|root| root.get("jobs").is_some() && root.get("on").is_some())
        };
        if is_yaml && (in_workflows || has_jobs()) {
            let name = path.rsplit('/').next().unwrap_or(path);
            let what = "Gitea does not look for workflows here, so it never runs";
            let fix = Fix::with("git mv -- {} {}", &[path, &format!("{FOLDER}{name}")]);
            found.add(Location::file(path), what, format!("{FOLDER}{name}"), fix);
        }
    }
}
