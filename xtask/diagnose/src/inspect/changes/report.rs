//! The changes from one image to the other, as text and as JSON.

use super::boot_lines::BootLineChanges;
use super::files::FileChanges;
use super::image_changes::{ImageChanges, SizePair};
use crate::text::{bytes, counted, printable};
use serde_json::{Value, json as value};
use std::collections::BTreeMap;
use std::path::Path;

/// Files and folders of one kind that the text lists.
const LISTED: usize = 40;

pub(super) fn text(changes: &ImageChanges) -> String {
    let mut out = String::new();
    if changes.changed.is_empty() {
        say!(out, "the same {} packages", changes.packages[0].len());
    } else {
        say!(out, "{} of {} packages changed", changes.changed.len(), changes.packages[0].len());
        for (_, line) in &changes.changed {
            say!(out, "  {}", printable(line));
        }
    }
    if changes.none() {
        return out;
    }
    say!(out, "sizes");
    for SizePair { what, a, b } in &changes.sizes {
        let shown = |size: &Option<u64>| size.map_or_else(|| "none".to_owned(), bytes);
        let (old, new) = (shown(a), shown(b));
        let line = if old == new { old } else { format!("{old} → {new}") };
        say!(out, "  {}: {line}", printable(what));
    }
    boot(&changes.boot, &mut out);
    files("system", &changes.system, &mut out);
    files("image", &changes.image, &mut out);
    out
}

fn boot(boot: &BootLineChanges, out: &mut String) {
    let same = counted(boot.same, "boot entry", "boot entries");
    if boot.none() {
        say!(out, "kernel command line: the same in {same}");
        return;
    }
    say!(out, "kernel command line: the same in {same}; changed:");
    for change in &boot.changed {
        let words = |sign: &str, words: &[String]| -> Vec<String> {
            words.iter().map(|word| format!("{sign}{}", printable(word))).collect()
        };
        let mut words = [words("-", &change.removed), words("+", &change.added)].concat();
        if words.is_empty() {
            words.push("the same words in another order".to_owned());
        }
        say!(out, "  {}", words.join(" "));
        for entry in &change.entries {
            say!(out, "    in {}", printable(entry));
        }
    }
    for (side, entries) in ["A", "B"].iter().zip(&boot.only) {
        for (name, line) in entries {
            say!(out, "  only in {side}: {}: {}", printable(name), printable(line));
        }
    }
}

fn files(of: &str, files: &FileChanges, out: &mut String) {
    if files.none() {
        say!(out, "files of the {of}: none came or went");
        return;
    }
    let entries = |list: &BTreeMap<String, u64>| list.values().sum::<u64>();
    say!(out, "files of the {of}: {} came, {} went", entries(&files.came), entries(&files.went));
    for (word, list) in [("came", &files.came), ("went", &files.went)] {
        for (path, count) in list.iter().take(LISTED) {
            let all = if *count > 1 { format!(" ({count} entries)") } else { String::new() };
            say!(out, "  {word}: {}{all}", printable(path));
        }
        if let Some(more) = list.len().checked_sub(LISTED).filter(|more| *more > 0) {
            say!(out, "  {word}: … and {more} more, which --json lists");
        }
    }
}

pub(super) fn json(changes: &ImageChanges, [a, b]: [&Path; 2]) -> Value {
    let [old, new] = &changes.packages;
    value!({
        "format": "silvermetal-package-changes/1",
        "a": a.to_string_lossy(),
        "b": b.to_string_lossy(),
        "changes": changes.changed.iter()
            .map(|(name, _)| value!({ "package": name, "a": old.get(name), "b": new.get(name) }))
            .collect::<Vec<_>>(),
        "sizes": changes.sizes.iter()
            .map(|size| value!({ "what": size.what, "a": size.a, "b": size.b }))
            .collect::<Vec<_>>(),
        "command_lines": changes.boot.changed.iter()
            .map(|change| value!({
                "entries": change.entries, "removed": change.removed, "added": change.added,
            }))
            .collect::<Vec<_>>(),
        "boot_entries": only(&changes.boot.only, |(name, line)| {
            value!({ "entry": name, "command_line": line })
        }),
        "system_files": of_files(&changes.system),
        "image_files": of_files(&changes.image),
    })
}

/// The lists of only A and of only B.
fn only<T>([a, b]: &[Vec<T>; 2], one: impl Fn(&T) -> Value) -> Value {
    value!({
        "went": a.iter().map(&one).collect::<Vec<_>>(),
        "came": b.iter().map(&one).collect::<Vec<_>>(),
    })
}

fn of_files(files: &FileChanges) -> Value {
    let list = |list: &BTreeMap<String, u64>| list.clone().into_iter().collect::<Vec<_>>();
    only(
        &[list(&files.went), list(&files.came)],
        |(path, entries)| value!({ "path": path, "entries": entries }),
    )
}
