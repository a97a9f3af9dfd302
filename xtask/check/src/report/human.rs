//! Findings for a person: location, expected value, reason, fix.

use crate::finding::{Finding, Severity};
use crate::report::catalog;
use crate::rules;
use crate::run::CheckReport;
use crate::tree::SourceTree;
use xtask_core::escape::Shown as _;

/// A longer line is cut around the column.
const WIDTH: usize = 110;

/// The findings for a person, and a last line that counts them.
pub fn text(report: &CheckReport) -> String {
    let findings: String =
        report.findings.iter().map(|finding| one(finding, &report.tree)).collect();
    findings + &summary(report)
}

fn one(finding: &Finding, tree: &SourceTree) -> String {
    let Finding { rule, severity, location, what, expected, fix } = finding;
    let position = match (location.line, location.column) {
        (0, _) => String::new(),
        (line, 0 | 1) => format!(":{line}"),
        (line, column) => format!(":{line}:{column}"),
    };
    let mut lines = vec![
        format!("{}[{rule}]: {}", severity.word(), what.shown()),
        format!("  --> {}{position}", location.path.shown()),
    ];
    let line = tree.line_at(&location.path, location.line);
    if !line.trim().is_empty() {
        let (shown, column) = window(line, location.column.max(1));
        let number = location.line.to_string();
        lines.push(format!("   {number} | {shown}"));
        if location.column > 1 {
            lines.push(format!(" {}^", " ".repeat(number.len() + 5 + column)));
        }
    }
    lines.push(format!("  expected: {}", expected.shown()));
    if let Some(rule) = rules::find(rule) {
        lines.push(format!("  why: {}", rule.described.why));
    }
    lines.push(format!("  fix: {fix}"));
    lines.push(format!("  see: {}", catalog::link(rule)));
    lines.join("\n") + "\n\n"
}

/// The line without control characters, cut to [`WIDTH`], and the column in it, from 0.
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

/// The last line: counts of rules and findings.
fn summary(report: &CheckReport) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let excused = match report.excused.len() {
        0 => String::new(),
        n => format!("; {n} excused by comments"),
    };
    let (ran, all) = (report.ran.len(), rules::ALL.len());
    let rules = if ran == all { count(ran, "rule") } else { format!("{ran} of {all} rules") };
    if report.findings.is_empty() {
        return format!("check: {rules}, no finding{excused}");
    }
    let errors = report.count(Severity::Error);
    let warnings = count(report.findings.len() - errors, "warning");
    format!("check: {rules}, {}, {warnings}{excused}", count(errors, "error"))
}
