//! Schedules are cron expressions that Gitea can read.

use crate::finding::{Location, Severity};
use crate::model::runner::duration;
use crate::model::workflow;
use crate::parse::yaml::Value;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const CRON: &str = "cron: '17 2 * * *'";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "schedule",
        what: "every entry of `on.schedule` has the single key `cron`, with a valid expression: five fields, or a name such as @daily, with `TZ=` in front or without",
        why: "Gitea drops a schedule that it cannot read: the nightly run never starts",
        source: "go-gitea/gitea#27794, #31657; robfig/cron, which Gitea uses",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, CRON, "cron: '17 26 * * *'", "26"),
        replace(WORKFLOW, CRON, "crons: '17 2 * * *'", "crons"),
        replace(WORKFLOW, "    - cron:", "    cron:", "cron"),
        replace(WORKFLOW, CRON, "cron: '17 2 * *'", "cron"),
        replace(WORKFLOW, CRON, "cron: '17 2 * * 7'", "cron"),
        replace(WORKFLOW, CRON, "cron: '30-10 2 * * *'", "cron"),
        replace(WORKFLOW, CRON, "cron: '*/0 2 * * *'", "cron"),
        replace(WORKFLOW, CRON, "cron: '@nightly'", "cron"),
        replace(WORKFLOW, CRON, "cron: '17 2 * * MOON'", "cron"),
        replace(WORKFLOW, CRON, "cron: '17 2 30 2 *'", "cron"),
        legal(WORKFLOW, CRON, "cron: '@daily'"),
        legal(WORKFLOW, CRON, "cron: '@every 12h'"),
        legal(WORKFLOW, CRON, "cron: 'TZ=UTC 17 2 * * *'"),
        legal(WORKFLOW, CRON, "cron: 'CRON_TZ=Europe/London 17 2 * * *'"),
        legal(WORKFLOW, CRON, "cron: '0,30 */6 1-7 JAN-jun mon,FRI'"),
        legal(WORKFLOW, CRON, "cron: '5-59/15 2 ? * 0-6'"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        let Some(schedule) = workflow.root.path(&["on", "schedule"]) else { continue };
        if !matches!(schedule.value, Value::List(_)) {
            let location = Location::at(workflow.path(), schedule.at());
            found.add(
                location,
                "`schedule` is not a list",
                "`- cron: '17 2 * * *'`",
                "write a list",
            );
        }
        for item in schedule.items() {
            for (key, _) in item.entries() {
                let name = key.text().unwrap_or_default();
                if name != "cron" {
                    let what = format!("`schedule` has no key `{name}`");
                    let location = Location::at(workflow.path(), key.at());
                    found.add(location, what, "`cron: '17 2 * * *'`", "write `cron:`");
                }
            }
            let Some(node) = item.get("cron") else {
                if item.entries().is_empty() {
                    let location = Location::at(workflow.path(), item.at());
                    let what = "the entry has no `cron`";
                    found.add(location, what, "`- cron: '17 2 * * *'`", "write `cron:`");
                }
                continue;
            };
            if let Err(why) = cron(node.text().unwrap_or_default()) {
                found.add(
                    Location::at(workflow.path(), node.at()),
                    format!("not a cron expression: {why}"),
                    "minute, hour, day, month and weekday (0-6), or @daily",
                    "correct the expression",
                );
            }
        }
    }
}

/// Name, range and names of values of each field.
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ),
    ("weekday", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

const NAMES: [&str; 7] =
    ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

fn cron(text: &str) -> Result<(), String> {
    let text = text.trim();
    let (zone, rest) = match text.strip_prefix("CRON_").unwrap_or(text).strip_prefix("TZ=") {
        Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
        None => ("UTC", text),
    };
    if zone.is_empty() {
        return Err("`TZ=` names no time zone".into());
    }
    let rest = rest.trim();
    if let Some(every) = rest.strip_prefix("@every ") {
        let known = duration(every.trim()).is_some();
        return if known { Ok(()) } else { Err(format!("`{every}` is not a duration")) };
    }
    if rest.starts_with('@') {
        let known = NAMES.contains(&rest);
        return if known {
            Ok(())
        } else {
            Err(format!("`{rest}` is none of {}", NAMES.join(", ")))
        };
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    if words.len() != FIELDS.len() {
        return Err(format!("{} fields instead of 5", words.len()));
    }
    for (word, (name, least, most, names)) in words.iter().zip(FIELDS) {
        for part in word.split(',') {
            range(part, least, most, names).map_err(|why| format!("{name} `{part}` {why}"))?;
        }
    }
    match (words[2].parse::<u32>(), words[3]) {
        (Ok(30..), "2") | (Ok(31), "4" | "6" | "9" | "11") => Err("this day never comes".into()),
        _ => Ok(()),
    }
}

/// `*`, `?`, `N`, `A-B`, each with `/STEP` or without.
fn range(part: &str, least: u32, most: u32, names: &[&str]) -> Result<(), String> {
    let (range, step) = part.split_once('/').map_or((part, None), |(a, b)| (a, Some(b)));
    if step.is_some_and(|step| {
        step.parse::<u32>().is_ok_and(|n| n == 0) || step.parse::<u32>().is_err()
    }) {
        return Err("has no valid step".into());
    }
    if matches!(range, "*" | "?") {
        return Ok(());
    }
    let value = |text: &str| {
        let name = text.to_ascii_lowercase();
        let named = names.iter().position(|n| *n == name).map(|n| n as u32 + least);
        let number = named.or_else(|| text.parse().ok()).ok_or("is not a number")?;
        match (least..=most).contains(&number) {
            true => Ok(number),
            false => Err("is out of range"),
        }
    };
    match range.split_once('-') {
        Some((a, b)) if value(a)? > value(b)? => Err("ends before it begins".into()),
        Some(_) => Ok(()),
        None => value(range).map(drop).map_err(str::to_owned),
    }
}
