//! The files that a build and these rules read exist and are plain text.

use crate::finding::Location;
use crate::finding::Severity;
use crate::fix::Fix;
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::{FileContent, ReadError, SourceTree};
use xtask_core::rules::Described;

/// Files that must exist.
const REQUIRED: [&str; 11] = [
    ".gitea/runner/config.yaml",
    ".gitea/workflows/build-iso-linux.yaml",
    ".gitmodules",
    "docs/ci-runner.md",
    "linux/build/config/silvermetal-base.conf",
    "linux/build/config/snapshot-pin.env",
    "linux/build/config/source-date-epoch.env",
    "linux/build/docker/Dockerfile.builder",
    "linux/build/docker/builder-image.toml",
    "linux/build/scripts/build.sh",
    "xtask/src/engine/container.rs",
];

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "files",
        what: "every file that a build or these rules read exists and is UTF-8 text with LF line ends, below 256 KiB, not empty and no link",
        why: "a CR at the end of a value reaches the build; bash fails on `#!/bin/bash\\r` with \"not found\"; no rule can read a link, a folder or an empty file",
        source: "bash(1), git's core.autocrlf",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit("linux/build/config/snapshot-pin.env", FixtureEdit::Crlf, ""),
        edit("linux/build/scripts/build.sh", FixtureEdit::Remove, ""),
        edit(".gitea/workflows/build-iso-linux.yaml", FixtureEdit::Write(b"name: \xff\n"), ""),
        edit("linux/build/docker/Dockerfile.builder", FixtureEdit::Write(b""), ""),
        edit("linux/build/docker/Dockerfile.builder", FixtureEdit::Size(50 << 20), ""),
        edit("linux/build/config/snapshot-pin.env", FixtureEdit::Link("/etc/hostname"), ""),
        edit("linux/build/docker/packages.list", FixtureEdit::Folder, ""),
        edit(".gitea/runner/config.yaml", FixtureEdit::Remove, ""),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for path in REQUIRED {
        if tree.entry(path).is_none() {
            report(&tree.required(path), path, found);
        }
    }
    for (path, entry) in tree.entries() {
        report(&entry.content, path, found);
    }
}

fn report(content: &FileContent, path: &str, found: &mut Findings) {
    let whole = Location::file(path);
    let restore = Fix::with("git checkout -- {}", &[path]);
    match content {
        FileContent::NotRead => {}
        FileContent::Missing => found.add(whole, "the file is missing", "a text file", restore),
        FileContent::Text(source) => {
            for (line, what) in &source.mended {
                let fix =
                    Fix::with("sed -i -e '1s/^\\xef\\xbb\\xbf//' -e 's/\\r$//' -- {}", &[path]);
                let place = Location::line(path, *line);
                found.add(
                    place,
                    format!("{what} from here on"),
                    "plain UTF-8 with LF line ends",
                    fix,
                );
            }
        }
        FileContent::Unusable(why) => {
            let (place, what) = match why {
                ReadError::NotUtf8 { line } => {
                    (Location::line(path, *line), "not UTF-8 text from this line on".to_owned())
                }
                ReadError::Empty => (whole, "the file is empty".to_owned()),
                ReadError::TooLarge { bytes } => {
                    (whole, format!("{bytes} bytes, too large to be read"))
                }
                ReadError::Link { target } => {
                    (whole, format!("a symbolic link to {target}, which is not followed"))
                }
                ReadError::NoFile => (whole, "not a regular file".to_owned()),
                ReadError::OddName => {
                    let what = "the file's name is not UTF-8, so no rule reads the file";
                    return found.add(whole, what, "a name in UTF-8", "rename the file");
                }
                ReadError::Unreadable { why } => (whole, format!("cannot be read: {why}")),
            };
            found.add(place, what, "a regular text file in UTF-8, below 256 KiB", restore);
        }
    }
}
