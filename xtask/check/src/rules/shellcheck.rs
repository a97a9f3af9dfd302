//! shellcheck finds nothing in the scripts.

use crate::finding::Severity;
use crate::fix::Fix;
use crate::linter::{Linter, LinterInput, Remark};
use crate::model::script;
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::{SourceFile, SourceTree};
use serde_json::Value;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "shellcheck",
        what: "shellcheck finds nothing in the scripts",
        why: "an unquoted variable works until a path has a blank in it",
        source: "shellcheck's wiki, which explains each SC number",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(
            "linux/build/scripts/build.sh",
            FixtureEdit::Replace("exec cargo", "rm $root/x\nexec cargo"),
            "rm $root/x",
        ),
        edit(
            "linux/build/scripts/build.sh",
            FixtureEdit::Replace("exec cargo", "if true\nexec cargo"),
            "if true",
        ),
    ],
};

const LINTER: Linter = Linter {
    program: "shellcheck",
    args: &["--external-sources", "--source-path=SCRIPTDIR:SCRIPTDIR/..", "--format=json1", "--"],
    config: None,
    settings: &[".shellcheckrc"],
    list: "/comments",
    remark,
};

fn check(tree: &SourceTree, found: &mut Findings) {
    // it would report CRLF line ends on every line
    let scripts = script::scripts(tree).filter(|s| s.text.starts_with("#!") && s.mended.is_empty());
    let inputs: Vec<LinterInput<'_>> =
        scripts.map(|file| LinterInput { file, also: sources(tree, file) }).collect();
    LINTER.check(tree, &inputs, found);
}

fn remark(comment: &Value) -> Option<Remark> {
    let number = |key: &str| comment[key].as_u64().unwrap_or_default() as usize;
    let code = number("code");
    Some(Remark {
        line: number("line"),
        column: number("column"),
        text: format!("{} (SC{code})", comment["message"].as_str().unwrap_or_default()),
        fix: Fix::with("https://www.shellcheck.net/wiki/SC{}", &[code.to_string()]),
    })
}

/// Files that a script may source, and that those may source.
fn sources<'t>(tree: &'t SourceTree, script: &'t SourceFile) -> Vec<&'t SourceFile> {
    let mut read = vec![script];
    let mut at = 0;
    while let Some(source) = read.get(at) {
        at += 1;
        let names = sourced(source);
        let named = |other: &&SourceFile| names.contains(&file_name(&other.path));
        let more =
            script::shell(tree).filter(named).filter(|s| !read.iter().any(|r| r.path == s.path));
        let more: Vec<&SourceFile> = more.collect();
        read.extend(more);
    }
    read.split_off(1)
}

/// File names of the files that a script sources.
fn sourced(script: &SourceFile) -> Vec<&str> {
    let by_command = script.commands().iter().filter(|c| matches!(c.program(), "." | "source"));
    let by_command =
        by_command.filter_map(|c| Some(file_name(c.words_of_program().get(1)?.text.as_str())));
    let told = script
        .text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("# shellcheck source="));
    by_command.chain(told.map(|path| file_name(path.trim()))).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
