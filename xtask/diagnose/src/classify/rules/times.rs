//! Times in contents.

use super::super::rule::{At, CauseRule, Evidence};
use crate::dates::{self, Moment, Precision};
use crate::edits::declared::Declared;
use crate::edits::{Edit, Edited};

pub(super) static RULES: &[CauseRule] = &[
    CauseRule {
        id: "shadow-days",
        name: "day of the last password change: the day of the build",
        fix: "set field 3 of etc/shadow to SOURCE_DATE_EPOCH / 86400 (chage -d)",
        source: "Tails; shadow(5)",
        evidence: Evidence::Edit(is_shadow_day),
    },
    CauseRule {
        id: "time-zone",
        name: "another time zone",
        fix: "TZ=UTC for the whole build",
        source: "reproducible-builds.org, timezones",
        evidence: Evidence::AlsoEdit(is_zone),
    },
    CauseRule {
        id: "build-time",
        name: "time of the build in a content",
        fix: "let what writes it take SOURCE_DATE_EPOCH, or delete the line",
        source: "reproducible-builds.org, timestamps",
        evidence: Evidence::Edit(is_time),
    },
    CauseRule {
        id: "measured-time",
        name: "durations, speeds or process ids in a content: a log of the build",
        fix: "delete the file, or the line",
        source: "reproducible-builds.org, timestamps",
        evidence: Evidence::Edit(is_measured),
    },
];

/// Names of zones as `date` and /etc/timezone write them.
const ZONES: [&str; 12] =
    ["UTC", "GMT", "CET", "CEST", "EST", "EDT", "PST", "PDT", "MST", "JST", "IST", "BST"];

/// Field 3 of shadow(5): days since 1970.
fn is_shadow_day(edit: &Edit, at: &At<'_>) -> bool {
    let day = |text: &str| text.parse::<i64>().ok();
    let (Some(a), Some(b)) = (day(&edit.a), day(&edit.b)) else { return false };
    at.path_is(&["etc/shadow", "**/etc/shadow"])
        && edit.what == Edited::Number
        && edit.before.ends_with(':')
        && edit.before.matches(':').count() == 2
        && at.context.are_near(a * 86_400, b * 86_400)
}

fn is_zone(edit: &Edit, at: &At<'_>) -> bool {
    match edit.what {
        Edited::Dates(a, b) => {
            // two zones that are written, and are not the same, of one moment or of the builds' times
            a.zoned
                && b.zoned
                && a.offset != b.offset
                && at.context.are_near(a.seconds, b.seconds)
                && !decides(edit, at)
                && (a.seconds == b.seconds || is_time(edit, at))
        }
        Edited::Name | Edited::Path | Edited::Text => {
            let named = |text: &str| ZONES.contains(&text) || is_region(text);
            // a part of `Europe/Berlin` alone
            let word = |text: &str| text.chars().all(|c| c.is_alphabetic() || "_/".contains(c));
            if at.path_is(&["etc/timezone"]) {
                return word(&edit.a) && word(&edit.b);
            }
            let file = |text: &str| {
                let zone = text.strip_prefix("/usr/share/zoneinfo/");
                zone.is_some_and(|zone| !zone.split('/').any(|part| part == ".."))
            };
            if at.path_is(&["etc/localtime"]) {
                return matches!(&*edit.before, "" | "..") && file(&edit.a) && file(&edit.b);
            }
            named(&edit.a) && named(&edit.b) && edit.key() == Some("TZ") && !at.is_act(edit)
        }
        _ => false,
    }
}

/// `Europe/Berlin`.
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
    text.split('/').any(|part| regions.contains(&part))
}

/// One time for another, in the same notation, and both near those of the builds.
pub(super) fn is_time(edit: &Edit, at: &At<'_>) -> bool {
    match edit.what {
        Edited::Dates(a, b) => {
            let day = |moment: Moment| moment.precision != Precision::TimeOnly;
            // the zone alone is a matter of its own
            let only_zone = a.zoned && b.zoned && a.offset != b.offset && a.seconds == b.seconds;
            let alike = a.notation == b.notation || a.foreign != b.foreign;
            // an id that is made of a date names a volume
            let id = edit.before.to_lowercase().contains("uuid");
            alike
                && !decides(edit, at)
                && day(a)
                && day(b)
                && !only_zone
                && !id
                && near(at, a, b)
                && !same_moment(a, b, edit)
        }
        Edited::Declared(Declared::PycTime(a, b) | Declared::KeystoreTime(a, b)) => {
            at.context.are_near(a, b)
        }
        _ => false,
    }
}

/// Returns true if something may be done by this date: it is compared, it is the end of something, or it stands in a
/// script's acts or in a setting where nothing says that it is the time of a making.
pub(super) fn decides(edit: &Edit, at: &At<'_>) -> bool {
    if at.is_comment(edit) {
        return false;
    }
    // a mirror's lists are signed with their end
    let is_end = edit.is_end() && !at.path_is(&["var/lib/apt/lists/**"]);
    let made = edit.is_of_making();
    edit.is_compared()
        || is_end
        || (at.is_code() && !(made && edit.is_named()))
        || (at.is_setting() && !made && !edit.is_alone())
}

/// syslog leaves the year out; then day and month must be near those of the builds.
fn near(at: &At<'_>, a: Moment, b: Moment) -> bool {
    if a.without_year || b.without_year {
        let script = at.content.is_some_and(|changes| changes.script);
        return a.without_year == b.without_year
            && !script
            && at.context.are_near_in_the_year(a.seconds, b.seconds);
    }
    at.context.are_near(a.seconds, b.seconds)
}

/// The same moment in another notation is one language's against another's; in the same notation its
/// fraction of a second differs.
fn same_moment(a: Moment, b: Moment, edit: &Edit) -> bool {
    let digits = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    a.seconds == b.seconds && (a.notation != b.notation || digits(&edit.a) != digits(&edit.b))
}

/// A number with a unit of time or speed, in a sentence of a log: `took 12.5 seconds`, `sshd[1234]:`.
fn is_measured(edit: &Edit, at: &At<'_>) -> bool {
    if edit.what != Edited::Number || edit.key().is_some() || at.is_setting() || at.is_act(edit) {
        return false;
    }
    let before = edit.before.to_lowercase();
    let after = edit.after.to_lowercase();
    let units = ["s", "sec", "secs", "seconds", "ms", "us", "kb/s", "mb/s", "min", "minutes"];
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
    let unit =
        after.trim_start().split([' ', ',', ')', ';', ']', '.', '\n']).next().unwrap_or_default();
    let said = before.trim_end_matches(|c: char| c.is_ascii_digit() || " .,\t(".contains(c));
    let named = ["took", "elapsed", "duration", "real", "finished in", "done in", "fetched in"];
    (units.contains(&unit) && named.iter().any(|name| said.ends_with(name))) || is_process(edit)
}

/// The number of a process in a line of syslog: `Nov 22 03:25:01 host sshd[1234]:`.
fn is_process(edit: &Edit) -> bool {
    let Some((length, moment)) = dates::at(&edit.before) else { return false };
    let name = edit.before.get(length..).and_then(|rest| rest.strip_suffix('['));
    let number = |text: &str| text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    moment.precision == Precision::Second
        && name.is_some_and(|name| name.starts_with(' ') && name.ends_with(char::is_alphanumeric))
        && edit.after.starts_with("]:")
        && number(&edit.a)
        && number(&edit.b)
}
