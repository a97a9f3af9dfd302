//! The entry point was reviewed against the pinned upstream revision.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use xtask_core::facts::git::git;
use xtask_core::rules::Described;
use xtask_core::toml_file;

const RECORD: &str = "linux/build/docker/builder-image.toml";
const README: &str = "linux/build/docker/systemd-entrypoint/README.md";
const SUBMODULE: &str = "linux/build/derivative-maker";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "reviewed-upstream",
        what: "[reviewed] in builder-image.toml and systemd-entrypoint/README.md name the commit that the gitlink pins, and the recorded files are upstream's at that commit",
        why: "upstream's docker/ files change what a build needs from its container; our own entry point then fails in the middle of a build",
        source: "linux/build/docker/systemd-entrypoint/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(
            SUBMODULE,
            FixtureEdit::Gitlink("4444444444444444444444444444444444444444"),
            "commit =",
        ),
        replace(
            README,
            "| docker/entrypoint.sh | a2081954",
            "| docker/entrypoint.sh | b2081954",
            "docker/entrypoint.sh |",
        ),
        replace(README, "derivative-maker 3c25009d", "derivative-maker 4c25009d", ""),
    ],
};

const FIX: &str = "review upstream's changes as systemd-entrypoint/README.md says, then write commit, tag and blobs there and into builder-image.toml";

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(source) = tree.source(RECORD) else { return };
    let Ok(record) = toml_edit::Document::parse(source.text.as_str()) else { return };
    let line_of = |item: &toml_edit::Item| {
        item.span().map_or(1, |span| toml_file::line_of(&source.text, span.start))
    };
    let Some(commit) = record.get("reviewed").and_then(|table| table.get("commit")) else {
        found.add(
            Location::file(RECORD),
            "no [reviewed] commit",
            "the revision of derivative-maker that was reviewed",
            FIX,
        );
        return;
    };
    let reviewed = commit.as_str().unwrap_or_default();
    let gitlink = tree.entry(SUBMODULE).and_then(|entry| entry.index.as_ref());
    let pinned =
        gitlink.filter(|(mode, _)| mode == crate::tree::GITLINK).map(|(_, commit)| commit.as_str());
    if let Some(pinned) = pinned.filter(|pinned| *pinned != reviewed) {
        let what =
            format!("reviewed against {}, but the gitlink pins {}", short(reviewed), short(pinned));
        found.add(Location::line(RECORD, line_of(commit)), what, "the pinned revision", FIX);
    }
    let blobs: Vec<(&str, &str, usize)> = record
        .get("reviewed")
        .and_then(|table| table.get("blobs"))
        .and_then(|table| table.as_table_like())
        .map(|table| {
            table
                .iter()
                .map(|(path, item)| (path, item.as_str().unwrap_or_default(), line_of(item)))
                .collect()
        })
        .unwrap_or_default();
    readme(tree, reviewed, &blobs, found);
    if pinned == Some(reviewed) {
        upstream(tree, reviewed, &blobs, found);
    }
}

/// The README repeats the record for people.
fn readme(tree: &SourceTree, commit: &str, blobs: &[(&str, &str, usize)], found: &mut Findings) {
    let Some(readme) = tree.source(README) else { return };
    if !readme.text.contains(commit) {
        let what = format!("the README does not name the reviewed commit {}", short(commit));
        found.add(
            Location::file(README),
            what,
            format!("{commit}, as builder-image.toml has it"),
            FIX,
        );
    }
    let rows: Vec<(usize, &str, &str)> = readme
        .lines()
        .filter_map(|(n, line)| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, path, blob, _] = cells[..] else { return None };
            let is_id = blob.len() == 40 && blob.bytes().all(|b| b.is_ascii_hexdigit());
            is_id.then_some((n, path, blob))
        })
        .collect();
    for (path, blob, line) in blobs {
        match rows.iter().find(|(_, row, _)| row == path) {
            None => found.add(
                Location::line(RECORD, *line),
                format!("{README} does not list `{path}`"),
                "the same files in both",
                FIX,
            ),
            Some((n, _, other)) if other != blob => {
                let what = format!(
                    "`{path}` is {} here, but {} in builder-image.toml",
                    short(other),
                    short(blob)
                );
                found.add(Location::line(README, *n), what, "the same in both", FIX);
            }
            Some(_) => {}
        }
    }
}

/// Compares the record with the submodule, if it is checked out.
fn upstream(tree: &SourceTree, commit: &str, blobs: &[(&str, &str, usize)], found: &mut Findings) {
    let dir = tree.repo.submodule();
    if blobs.is_empty() || !dir.join(".git").exists() {
        return;
    }
    let Ok(listing) = git(&dir)
        .args([
            "ls-tree",
            "-r",
            "-z",
            commit,
            "--",
            "docker",
            "approx",
            "build-steps.d",
            "buildconfig.d",
        ])
        .read()
    else {
        return;
    };
    let theirs: Vec<(&str, &str)> = listing
        .split('\0')
        .filter_map(|entry| {
            let (facts, path) = entry.split_once('\t')?;
            Some((path, facts.split(' ').nth(2)?))
        })
        .collect();
    for (path, blob, line) in blobs {
        let theirs = theirs.iter().find(|(other, _)| other == path).map(|(_, blob)| *blob);
        if theirs != Some(*blob) {
            let now = theirs.map_or("gone".to_owned(), |blob| format!("{} now", short(blob)));
            let what = format!(
                "`{path}` was reviewed as {}, but is {now} at {}",
                short(blob),
                short(commit)
            );
            found.add(
                Location::line(RECORD, *line),
                what,
                "upstream's file at the pinned commit",
                FIX,
            );
        }
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
