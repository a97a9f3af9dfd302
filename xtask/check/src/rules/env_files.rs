//! The .env files hold known keys and plain values.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use xtask_core::pins::env_file;
use xtask_core::rules::Described;

const FOLDER: &str = "linux/build/config/";
const PIN: &str = "linux/build/config/snapshot-pin.env";
const EPOCH: &str = "linux/build/config/source-date-epoch.env";

/// Each file's keys, and true if they are required.
const KNOWN: [(&str, &[&str], bool); 2] = [
    ("snapshot-pin.env", &["SNAPSHOT_URL", "SNAPSHOT_STAMP"], true),
    ("source-date-epoch.env", &["SOURCE_DATE_EPOCH"], false),
];

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "env-files",
        what: "the .env files are `KEY=value` lines and # comments, with known keys, each once, without quotes and trailing blanks",
        why: "a trailing blank becomes part of a URL; of a duplicate key, one reader takes the first and one the last",
        source: "linux/build/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(
            PIN,
            FixtureEdit::Append("SNAPSHOT_STAMP=20260508T000000Z\n"),
            "SNAPSHOT_STAMP=20260508T000000Z",
        ),
        edit(PIN, FixtureEdit::Append("SNAPSHOT_STAMPS=1\n"), "STAMPS"),
        edit(EPOCH, FixtureEdit::Append("export SOURCE_DATE_EPOCH=1778198400\n"), "export"),
        edit(EPOCH, FixtureEdit::Append("SOURCE_DATE_EPOCH=1778198400 \n"), "1778198400 "),
        edit(EPOCH, FixtureEdit::Append("nonsense\n"), "nonsense"),
        replace(PIN, "SNAPSHOT_URL=", "#SNAPSHOT_URL=", ""),
        edit("linux/build/config/other.env", FixtureEdit::Write(b"A=1\n"), ""),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let files = tree.sources().filter(|s| s.path.starts_with(FOLDER) && s.path.ends_with(".env"));
    for source in files {
        let name = &source.path[FOLDER.len()..];
        let Some((_, keys, needed)) = KNOWN.iter().find(|(known, ..)| *known == name) else {
            let known: Vec<&str> = KNOWN.iter().map(|(name, ..)| *name).collect();
            found.add(
                Location::file(&source.path),
                "no command reads this file",
                known.join(" or "),
                "remove it, or correct its name",
            );
            continue;
        };
        if let Err(errors) = env_file::parse(&source.text, keys) {
            for (line, what) in errors {
                found.add(
                    Location::line(&source.path, line),
                    what,
                    format!("KEY=value, the key one of {}", keys.join(", ")),
                    "correct the line",
                );
            }
        }
        for key in keys.iter().filter(|_| *needed) {
            let there = source.text.lines().any(|line| {
                line.split('=').next().is_some_and(|k| k.split_whitespace().last() == Some(*key))
            });
            if !there {
                found.add(
                    Location::file(&source.path),
                    format!("{key} is missing"),
                    format!("{key}=…"),
                    "cargo xtask bump-snapshot",
                );
            }
        }
    }
}
