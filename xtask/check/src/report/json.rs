//! Findings for a program: one JSON object.

use crate::finding::{Finding, Severity};
use crate::report::catalog;
use crate::rules;
use crate::run::CheckReport;
use crate::tree::SourceTree;
use serde_json::{Value, json as value};

/// Characters that are quoted from a line. Some lines have a megabyte.
const QUOTED: usize = 500;

/// The findings for a program: one JSON object.
pub fn json(report: &CheckReport) -> Value {
    let one = |finding: &Finding| one(finding, &report.tree);
    let findings: Vec<Value> = report.findings.iter().map(one).collect();
    let excused = report.excused.iter().map(|(finding, exception)| {
        let mut value = one(finding);
        value["reason"] = value!(exception.reason);
        value
    });
    let skipped = report.skipped.iter();
    let skipped = skipped.map(|(rule, reason)| value!({ "rule": rule, "reason": reason }));
    let errors = report.count(Severity::Error);
    value!({
        "format": "silvermetal-check/1",
        "rules": report.ran.len(),
        "errors": errors,
        "warnings": findings.len() - errors,
        "findings": findings,
        "excused": excused.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn one(finding: &Finding, tree: &SourceTree) -> Value {
    let Finding { rule, severity, location, what, expected, fix } = finding;
    let described = rules::find(rule).map(|rule| rule.described);
    value!({
        "rule": rule,
        "severity": severity.word(),
        "path": location.path,
        // null means the file as a whole
        "line": (location.line > 0).then_some(location.line),
        "column": (location.line > 0).then_some(location.column.max(1)),
        "text": tree.line_at(&location.path, location.line).chars().take(QUOTED).collect::<String>(),
        "what": what,
        "expected": expected,
        "why": described.map(|d| d.why),
        "source": described.map(|d| d.source),
        "fix": fix.to_string(),
        "see": catalog::link(rule),
    })
}
