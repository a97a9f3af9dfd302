//! The pinned builder image was built from today's docker/ folder.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use toml_edit::{Item, Table};
use xtask_core::facts::builder_inputs::Inputs;
use xtask_core::pins::build_sh;
use xtask_core::rules::Described;
use xtask_core::toml_file::line_of;

const RECORD: &str = "linux/build/docker/builder-image.toml";
const BUILD_SH: &str = "linux/build/scripts/build.sh";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "stale-pin",
        what: "the image that build.sh pins was built from today's docker/ folder and snapshot, according to its [[pin]] in builder-image.toml",
        why: "a change of docker/ has no effect on a local build, and nobody sees why",
        source: "linux/build/README.md",
    },
    severity: Severity::Warning,
    check,
    fixtures: &[
        edit("linux/build/docker/packages.list", FixtureEdit::Append("vim\n"), "inputs ="),
        replace(RECORD, "digest = \"sha256:1111", "digest = \"sha256:2222", "digest ="),
        replace(RECORD, "[[pin]]", "[[pinned]]", ""),
    ],
};

const FIX: &str =
    "after the change is merged: cargo xtask image push, then cargo xtask bump-image latest-pushed";

fn check(tree: &SourceTree, found: &mut Findings) {
    let (Some(source), Some(build_sh)) = (tree.source(RECORD), tree.source(BUILD_SH)) else {
        return;
    };
    let (Ok(record), Ok(pin)) =
        (toml_edit::Document::parse(source.text.as_str()), build_sh::parse(&build_sh.text))
    else {
        return;
    };
    let at = |line: usize| Location::at(RECORD, (line, usize::from(line > 0)));
    let entries: Vec<&Table> = match record.get("pin").and_then(Item::as_array_of_tables) {
        Some(entries) => entries.iter().collect(),
        None => {
            let what = "there is no table [[pin]], so the inputs of the pinned image are unknown";
            return found.add(at(0), what, "[[pin]]", FIX);
        }
    };
    let value = |entry: &Table, key: &str| {
        let item = entry.get(key);
        let span = item.and_then(Item::span).or_else(|| entry.span());
        let line = span.map_or(0, |span| line_of(&source.text, span.start));
        (item.and_then(Item::as_str).unwrap_or_default().to_owned(), line)
    };
    let pinned = pin
        .and_then(|(_, image)| image.digest)
        .map(|digest| digest.to_string())
        .unwrap_or_default();
    // a killed bump-image leaves other entries, which the next one removes
    let Some(entry) = entries.iter().find(|entry| value(entry, "digest").0 == pinned) else {
        let line = entries.last().map_or(0, |entry| value(entry, "digest").1);
        let pinned = if pinned.is_empty() { "no image yet" } else { pinned.as_str() };
        let what = format!("no [[pin]] has the digest in build.sh: {pinned}");
        return found.add(at(line), what, "an entry for it", "cargo xtask bump-image REF");
    };
    if pinned.is_empty() {
        return;
    }
    // other rules report unreadable inputs
    let Ok(today) = Inputs::gather(&tree.repo) else { return };
    let (inputs, line) = value(entry, "inputs");
    let recorded = inputs.trim_start_matches("sha256:");
    if recorded != today.digest.hex() {
        let what = format!(
            "the pinned image was built from the inputs {}, but today's are {}",
            short(recorded),
            short(today.digest.hex())
        );
        found.add(at(line), what, "an image built from today's docker/ folder", FIX);
    }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(if hash.is_empty() { "(none)" } else { hash })
}
