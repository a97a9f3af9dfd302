//! The report for a person: one line per cause first.

use super::Report;
use crate::classify::{Cause, Item};
use crate::text::{counted, printable};

/// Places that are named of a cause; all of them are in the other reports.
const PLACES: usize = 4;
/// Unexplained places that are shown.
const ITEMS: usize = 20;
/// Lines of an excerpt.
const LINES: usize = 6;

pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    say!(out, "{}", report.headline());
    if report.identical {
        return out;
    }
    let diagnosis = &report.diagnosis;
    if let Some(records) = &report.records {
        for input in &records.inputs {
            say!(out, "  the inputs moved: {}", printable(input));
        }
        if let Some(stage) = &records.stage {
            say!(out, "  first stage that differs: {stage}");
        }
    }
    for (n, cause) in diagnosis.causes.iter().enumerate() {
        say!(out, "{:>3}. {}", n + 1, line(cause));
    }
    if !diagnosis.unexplained.is_empty() {
        say!(out, "  ?  {} unexplained", counted(diagnosis.unexplained.len(), "place", "places"));
    }
    if !diagnosis.unreadable.is_empty() {
        say!(out, "  ?  {} not read", counted(diagnosis.unreadable.len(), "place", "places"));
    }
    for (n, cause) in diagnosis.causes.iter().enumerate() {
        say!(out, "\n{:>3}. {}", n + 1, line(cause));
        say!(out, "     fix: {}", cause.rule.fix);
        let stages = report.stages(cause);
        if !stages.is_empty() {
            say!(out, "     written by: stage {}", stages.join(", "));
        }
        places(&mut out, cause);
        excerpt(&mut out, &cause.excerpt);
        say!(out, "     known from: {} [{}]", cause.rule.source, cause.rule.id);
    }
    list(&mut out, report, "unexplained", &diagnosis.unexplained);
    list(&mut out, report, "not read", &diagnosis.unreadable);
    out
}

/// A cause in one line.
fn line(cause: &Cause) -> String {
    let detail = if cause.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", printable(&cause.detail))
    };
    format!("{}: {}{detail}", counted(cause.places.len(), "place", "places"), cause.rule.name)
}

fn places(out: &mut String, cause: &Cause) {
    for place in cause.places.iter().take(PLACES) {
        say!(out, "     at {}", printable(&place.to_string()));
    }
    if cause.places.len() > PLACES {
        say!(out, "     … and {} more", cause.places.len() - PLACES);
    }
}

fn excerpt(out: &mut String, lines: &[String]) {
    for line in lines.iter().take(LINES) {
        say!(out, "       {}", printable(line));
    }
    if lines.len() > LINES {
        say!(out, "       … and {} more lines", lines.len() - LINES);
    }
}

fn list(out: &mut String, report: &Report, title: &str, items: &[Item]) {
    if items.is_empty() {
        return;
    }
    say!(out, "\n{title}:");
    for item in items.iter().take(ITEMS) {
        let stage =
            report.stage_of(&item.place).map(|s| format!(" (stage {s})")).unwrap_or_default();
        say!(out, "  {}: {}{stage}", printable(&item.place.to_string()), printable(&item.what));
        if let Some(rule) = item.usually {
            say!(out, "     not proved; usually: {} [{}]", rule.name, rule.id);
            say!(out, "     fix for that: {}", rule.fix);
        }
        excerpt(out, &item.excerpt);
    }
    if items.len() > ITEMS {
        say!(out, "  … and {} more, all of them with --json or --html", items.len() - ITEMS);
    }
}
