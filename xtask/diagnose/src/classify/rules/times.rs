//! Times in contents.

use super::super::rule::{At, Evidence, Rule};
use crate::dates::{Moment, Precision};
use crate::edits::{Edit, Edited};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "shadow-days",
        name: "day of the last password change: the day of the build",
        fix: "set field 3 of etc/shadow to SOURCE_DATE_EPOCH / 86400 (chage -d)",
        source: "Tails; shadow(5)",
        evidence: Evidence::Edit(is_shadow_day),
    },
    Rule {
        id: "time-zone",
        name: "another time zone",
        fix: "TZ=UTC for the whole build",
        source: "reproducible-builds.org, timezones",
        evidence: Evidence::AlsoEdit(is_zone),
    },
    Rule {
        id: "build-time",
        name: "time of the build in a content",
        fix: "let what writes it take SOURCE_DATE_EPOCH, or delete the line",
        source: "reproducible-builds.org, timestamps",
        evidence: Evidence::Edit(is_time),
    },
    Rule {
        id: "measured-time",
        name: "durations, speeds or process ids in a content: a log of the build",
        fix: "delete the file, or the line",
        source: "reproducible-builds.org, timestamps",
        evidence: Evidence::Edit(is_measured),
    },
];

/// Offsets of time zones are multiples of this.
const QUARTER: i64 = 900;
const WIDEST: i64 = 26 * 3600;

/// Names of zones as `date` and /etc/timezone write them.
const ZONES: [&str; 12] =
    ["UTC", "GMT", "CET", "CEST", "EST", "EDT", "PST", "PDT", "MST", "JST", "IST", "BST"];

fn is_shadow_day(edit: &Edit, at: &At<'_>) -> bool {
    // 10000 days: 1997; 40000 days: 2079
    let day = |text: &str| text.parse::<u32>().is_ok_and(|day| (10_000..40_000).contains(&day));
    at.path_is(&["etc/shadow", "**/etc/shadow"])
        && edit.what == Edited::Number
        && day(&edit.a)
        && day(&edit.b)
}

fn is_zone(edit: &Edit, at: &At<'_>) -> bool {
    match edit.what {
        Edited::Dates(a, b) => zone_differs(a, b),
        Edited::Name | Edited::Path | Edited::Text => {
            let named = |text: &str| ZONES.contains(&text) || is_region(text);
            (named(&edit.a) && named(&edit.b)) || at.path_is(&["etc/timezone", "etc/localtime"])
        }
        _ => false,
    }
}

/// `Europe/Berlin`, `/usr/share/zoneinfo/Etc/UTC`.
fn is_region(text: &str) -> bool {
    let regions = [
        "Africa",
        "America",
        "Antarctica",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Etc",
        "Indian",
        "Pacific",
    ];
    text.split('/').any(|part| regions.contains(&part)) || text.contains("zoneinfo")
}

fn zone_differs(a: Moment, b: Moment) -> bool {
    let written = a.zoned && b.zoned && a.offset != b.offset;
    written || only_zone_differs(a, b)
}

/// The same moment, but for the zone.
fn only_zone_differs(a: Moment, b: Moment) -> bool {
    if a.precision == Precision::Day || b.precision == Precision::Day {
        return false;
    }
    let known = a.offset.is_some() && b.offset.is_some() && a.zoned && b.zoned;
    if known && a.offset != b.offset {
        return a.seconds == b.seconds;
    }
    let apart = (a.seconds - b.seconds).abs();
    apart > 0 && apart % QUARTER == 0 && apart <= WIDEST && a.seconds % QUARTER != 0
}

fn is_time(edit: &Edit, _: &At<'_>) -> bool {
    match edit.what {
        Edited::Dates(a, b) => a.seconds != b.seconds && !only_zone_differs(a, b),
        Edited::RawTime(..) => true,
        _ => false,
    }
}

fn is_measured(edit: &Edit, _: &At<'_>) -> bool {
    if edit.what != Edited::Number {
        return false;
    }
    let before = edit.before.to_lowercase();
    let after = edit.after.to_lowercase();
    let units = [
        "s", "sec", "secs", "seconds", "ms", "us", "kb/s", "mb/s", "min", "minutes", "elapsed",
        "system", "user",
    ];
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
    let unit = after.trim_start().split([' ', ',', ')', ';', ']', '.']).next().unwrap_or_default();
    let unit = units.contains(&unit);
    let named = ["took", "elapsed", "seconds", "duration", "real", "time:", "pid", "pid="];
    let said = before.trim_end_matches(|c: char| c.is_ascii_digit() || " .,:=\t".contains(c));
    unit || named.iter().any(|name| said.ends_with(name.trim_end_matches([':', '='])))
        // syslog's `sshd[1234]:`
        || (before.ends_with('[') && after.starts_with("]:"))
}
