//! Scripts are executable, in git too.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::{EXECUTABLE, NO_GIT, SourceTree};
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "script-mode",
        what: "a script with `#!` has mode 100755 in git, and every file of that mode is a script",
        why: "the first call in CI or in the builder fails with \"permission denied\"",
        source: "git-update-index(1), --chmod",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit("linux/build/scripts/build.sh", FixtureEdit::Executable(false), "#!"),
        edit("linux/build/recipes/canary/build", FixtureEdit::Executable(false), "#!"),
        edit("linux/build/config/silvermetal-base.conf", FixtureEdit::Executable(true), ""),
        edit(
            "linux/build/recipes/canary/more.py",
            FixtureEdit::Write(b"#!/usr/bin/env python3\nprint()\n"),
            "#!",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    if !tree.in_git {
        return found.skip(NO_GIT);
    }
    for source in tree.sources().filter(|source| source.text.starts_with("#!")) {
        let index = tree.entry(&source.path).and_then(|entry| entry.index.as_ref());
        let in_git = index.map(|(mode, _)| mode.as_str());
        if in_git.is_some_and(|mode| mode != EXECUTABLE) || !source.executable {
            let what = match in_git {
                Some(mode) if mode != EXECUTABLE => format!("the script has mode {mode} in git"),
                _ => "the script is not executable".to_owned(),
            };
            let path = &source.path;
            let fix = if index.is_some() {
                Fix::with("chmod +x -- {} && git update-index --chmod=+x -- {}", &[path, path])
            } else {
                Fix::with("chmod +x -- {}", &[path])
            };
            found.add(Location::line(path, 1), what, "100755", fix);
        }
    }
    for source in tree.sources().filter(|source| !source.text.starts_with("#!")) {
        let index = tree.entry(&source.path).and_then(|entry| entry.index.as_ref());
        if index.is_some_and(|(mode, _)| mode == EXECUTABLE) {
            let path = &source.path;
            let fix =
                Fix::with("chmod -x -- {} && git update-index --chmod=-x -- {}", &[path, path]);
            found.add(
                Location::file(path),
                "the file is executable in git, but is no script",
                "100644",
                fix,
            );
        }
    }
}
