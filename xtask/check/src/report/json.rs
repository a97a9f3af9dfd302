//! Findings for a program: one JSON object on stdout.

use crate::finding::{Finding, Severity};
use crate::rules;
use crate::run::Outcome;
use crate::tree::Tree;
use serde_json::{Value, json};

/// Characters of a line; some have a megabyte.
const MOST: usize = 500;

pub fn text(outcome: &Outcome, tree: &Tree) -> String {
    let excused: Vec<Value> = outcome
        .excused
        .iter()
        .map(|(finding, exception)| {
            let mut value = one(finding, tree);
            value["reason"] = json!(exception.reason);
            value
        })
        .collect();
    let all = json!({
        "rules": outcome.rules,
        "errors": outcome.count(Severity::Error),
        "warnings": outcome.count(Severity::Warning),
        "findings": outcome.findings.iter().map(|finding| one(finding, tree)).collect::<Vec<_>>(),
        "excused": excused,
        "notes": outcome.notes,
    });
    format!("{all:#}")
}

fn one(finding: &Finding, tree: &Tree) -> Value {
    let Finding { rule, severity, place, what, expected, fix } = finding;
    let described = rules::find(rule).map(|rule| rule.described);
    json!({
        "rule": rule,
        "severity": severity.word(),
        "path": place.path,
        // null: the file as a whole
        "line": (place.line > 0).then_some(place.line),
        "column": (place.line > 0).then_some(place.column.max(1)),
        "text": tree.line_at(&place.path, place.line).chars().take(MOST).collect::<String>(),
        "what": what,
        "expected": expected,
        "why": described.map(|d| d.why),
        "source": described.map(|d| d.source),
        "fix": fix,
    })
}
