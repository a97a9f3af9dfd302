//! The override of SOURCE_DATE_EPOCH makes sense.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::SourceTree;
use xtask_core::pins::{SnapshotStamp, env_file};
use xtask_core::rules::Described;

const PATH: &str = "linux/build/config/source-date-epoch.env";
const PIN: &str = "linux/build/config/snapshot-pin.env";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "source-date-epoch",
        what: "SOURCE_DATE_EPOCH, if set, is a number of seconds, not in the future and not before the snapshot",
        why: "files from packages newer than the stamp are clamped to a time before they existed; a time in the future breaks make and apt",
        source: "reproducible-builds.org, SOURCE_DATE_EPOCH",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(PATH, FixtureEdit::Append("SOURCE_DATE_EPOCH=yesterday\n"), "=yesterday"),
        edit(PATH, FixtureEdit::Append("SOURCE_DATE_EPOCH=32503680000\n"), "32503680000"),
        edit(PATH, FixtureEdit::Append("SOURCE_DATE_EPOCH=1700000000\n"), "1700000000"),
        edit(PATH, FixtureEdit::Append("SOURCE_DATE_EPOCH=-1\n"), "=-1"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(source) = tree.source(PATH) else { return };
    let set = env_file::lines(&source.text).find(|(_, key, _)| *key == "SOURCE_DATE_EPOCH");
    let Some((line, _, value)) = set else { return };
    let place = Location::line(PATH, line);
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let Some(epoch) = value.parse::<u64>().ok().filter(|_| digits) else {
        found.add(
            place,
            format!("`{value}` is not a number of seconds since 1970"),
            "a number such as 1778198400",
            "git log -1 --format=%ct COMMIT",
        );
        return;
    };
    if epoch > tree.now {
        found.add(
            place,
            format!("{epoch} is in the future"),
            "a past time",
            "git log -1 --format=%ct COMMIT",
        );
        return;
    }
    let pin = tree.source(PIN);
    let stamp =
        pin.and_then(|pin| env_file::lines(&pin.text).find(|(_, key, _)| *key == "SNAPSHOT_STAMP"));
    if let Some(stamp) = stamp.and_then(|(_, _, value)| value.parse::<SnapshotStamp>().ok())
        && epoch < stamp.unix_time()
    {
        let what = format!("{epoch} is before the snapshot {stamp} ({})", stamp.unix_time());
        let fix = "take a later time, or excuse the line: `# check: allow source-date-epoch REASON` above it";
        found.add(place, what, "a time after the snapshot", fix);
    }
}
