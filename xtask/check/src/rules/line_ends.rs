//! Git keeps LF line ends in every checkout.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "line-ends",
        what: "no .gitattributes asks for CRLF or another encoding, but for files of Windows (*.bat, *.cmd, *.ps1)",
        why: "git then writes CRLF into every checkout: bash fails on `#!/bin/bash\\r`, and two checkouts of one commit differ",
        source: "gitattributes(5), eol and working-tree-encoding",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(".gitattributes", FixtureEdit::Write(b"* text eol=crlf\n"), "eol=crlf"),
        edit(".gitattributes", FixtureEdit::Write(b"# ours\n*.sh eol=crlf\n"), "*.sh"),
        edit(
            "linux/build/.gitattributes",
            FixtureEdit::Write(b"*.env working-tree-encoding=UTF-16\n"),
            "UTF-16",
        ),
        edit(".gitattributes", FixtureEdit::Write(b"* text=auto eol=lf\n*.png binary\n"), "")
            .legal(),
        edit(".gitattributes", FixtureEdit::Write(b"*.bat text eol=crlf\n"), "").legal(),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for source in tree.sources().filter(|source| source.path.ends_with(".gitattributes")) {
        for (line, text) in source.lines() {
            let mut words = text.split_whitespace();
            let pattern = words.next().unwrap_or_default();
            if pattern.starts_with('#')
                || [".bat", ".cmd", ".ps1"].iter().any(|end| pattern.ends_with(end))
            {
                continue;
            }
            let harmful = |word: &&str| {
                word.eq_ignore_ascii_case("eol=crlf")
                    || word
                        .strip_prefix("working-tree-encoding=")
                        .is_some_and(|encoding| !encoding.eq_ignore_ascii_case("UTF-8"))
            };
            if let Some(word) = words.find(harmful) {
                found.add(
                    Location::line(&source.path, line),
                    format!("`{word}` changes `{pattern}` in every checkout"),
                    "eol=lf, or no attribute",
                    "write `eol=lf`",
                );
            }
        }
    }
}
