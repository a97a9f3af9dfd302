//! All files name the same snapshot, from the past.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::pins::{SnapshotStamp, env_file};
use xtask_core::rules::Described;

const PIN: &str = "linux/build/config/snapshot-pin.env";
/// Records the stamp of an older image. Rule `stale-pin` checks it.
const RECORD: &str = "linux/build/docker/builder-image.toml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "snapshot-stamp",
        what: "SNAPSHOT_STAMP is a past moment YYYYMMDDTHHMMSSZ, and every other stamp in image, recipes, workflows and docs is the same",
        why: "a stamp that was bumped in one place only builds the image and the ISO from two different days",
        source: "linux/build/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PIN, "20260508T000000Z", "20260532T000000Z", "SNAPSHOT_STAMP"),
        replace(PIN, "20260508T000000Z", "2026-05-08", "SNAPSHOT_STAMP"),
        replace(PIN, "20260508T000000Z", "29990508T000000Z", "SNAPSHOT_STAMP"),
        replace("docs/ci-runner.md", "20260508T000000Z", "20250101T000000Z", "20250101T000000Z"),
        replace(
            "linux/build/recipes/canary/build",
            "exit 0",
            "printf '%s\\n' 20260101T000000Z\nexit 0",
            "20260101T000000Z",
        ),
    ],
};

const FIX: &str = "cargo xtask bump-snapshot STAMP";

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(pin) = tree.source(PIN) else { return };
    let line = env_file::lines(&pin.text).find(|(_, key, _)| *key == "SNAPSHOT_STAMP");
    let Some((line, _, value)) = line else { return };
    let stamp: SnapshotStamp = match value.parse() {
        Ok(stamp) => stamp,
        Err(error) => {
            found.add(Location::line(PIN, line), format!("{error:#}"), "YYYYMMDDTHHMMSSZ", FIX);
            return;
        }
    };
    if stamp.unix_time() > tree.now {
        found.add(
            Location::line(PIN, line),
            format!("{stamp} is in the future"),
            "a moment that the archive covers",
            FIX,
        );
        return;
    }
    let here = [".ci/", ".gitea/", "docs/", "linux/build/", "README.md"];
    for source in tree.sources() {
        if source.path == PIN
            || source.path == RECORD
            || !here.iter().any(|place| source.path.starts_with(place))
        {
            continue;
        }
        for (n, text) in source.lines() {
            for (column, other) in stamps(text).filter(|(_, other)| *other != value) {
                let what = format!("the stamp is {other}, but {PIN}:{line} has {value}");
                found.add(Location::at(&source.path, (n, column)), what, value, FIX);
            }
        }
    }
}

/// Column and text of every stamp in the line.
fn stamps(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = line.as_bytes();
    line.match_indices('T').filter_map(move |(middle, _)| {
        let at = middle.checked_sub(8)?;
        let shape = b"00000000T000000Z";
        let part = bytes.get(at..at + shape.len())?;
        let fits = part
            .iter()
            .zip(shape)
            .all(|(b, s)| if *s == b'0' { b.is_ascii_digit() } else { b == s });
        let alone = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric());
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let whole = fits && alone(before) && alone(bytes.get(at + shape.len()));
        whole.then(|| (line[..at].chars().count() + 1, &line[at..at + shape.len()]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_in_a_line() {
        let found: Vec<_> =
            stamps("é/20260508T000000Z/ x20260508T000000Z YYYYMMDDTHHMMSSZ 20260508T000000ZZ")
                .collect();
        assert_eq!(found, [(3, "20260508T000000Z")]);
    }
}
