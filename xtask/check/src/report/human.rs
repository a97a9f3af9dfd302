//! Findings as a person reads them: place, line, what was expected, why, what mends it.

use crate::finding::{Finding, Severity};
use crate::rules;
use crate::run::Outcome;
use crate::tree::Tree;
use std::fmt::Write as _;

/// A line longer than this is cut around the column.
const WIDTH: usize = 110;

pub fn text(outcome: &Outcome, tree: &Tree) -> String {
    let mut out = String::new();
    for finding in &outcome.findings {
        if one(&mut out, finding, tree).is_err() {
            break; // writing to a String does not fail
        }
    }
    out
}

fn one(out: &mut String, finding: &Finding, tree: &Tree) -> std::fmt::Result {
    let Finding { rule, severity, place, what, expected, fix } = finding;
    writeln!(out, "{}[{rule}]: {what}", severity.word())?;
    let position = match (place.line, place.column) {
        (0, _) => String::new(),
        (line, 0 | 1) => format!(":{line}"),
        (line, column) => format!(":{line}:{column}"),
    };
    writeln!(out, "  --> {}{position}", place.path)?;
    let line = tree.line_at(&place.path, place.line);
    if !line.trim().is_empty() {
        let (shown, column) = window(line, place.column.max(1));
        let number = place.line.to_string();
        writeln!(out, "   {number} | {shown}")?;
        if place.column > 1 {
            let blanks = " ".repeat(number.len() + 5 + column);
            writeln!(out, " {blanks}^")?;
        }
    }
    writeln!(out, "  expected: {expected}")?;
    if let Some(rule) = rules::find(rule) {
        writeln!(out, "  why: {} ({})", rule.described.why, rule.described.source)?;
    }
    writeln!(out, "  fix: {fix}\n")
}

/// The line without control characters, cut to a sane width, and where the column is now (from 0).
fn window(line: &str, column: usize) -> (String, usize) {
    let chars: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let at = (column - 1).min(chars.len());
    if chars.len() <= WIDTH {
        return (chars.iter().collect(), at);
    }
    let from = at.saturating_sub(WIDTH / 2).min(chars.len() - WIDTH);
    let shown: String = chars[from..from + WIDTH].iter().collect();
    let dots = if from > 0 { "…" } else { "" };
    (format!("{dots}{shown}…"), at - from + dots.chars().count())
}

/// The last line: how many of what.
pub fn summary(outcome: &Outcome) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let excused = match outcome.excused.len() {
        0 => String::new(),
        n => format!("; {n} excused by comments"),
    };
    let rules = count(outcome.rules, "rule");
    if outcome.findings.is_empty() {
        return format!("check: {rules}, no finding{excused}");
    }
    let errors = count(outcome.count(Severity::Error), "error");
    let warnings = count(outcome.count(Severity::Warning), "warning");
    format!(
        "check: {rules}, {errors}, {warnings}{excused}; `cargo xtask check --explain RULE` says more"
    )
}
