//! The rules themselves: one explained, or all as the table of docs/rules.md.

use crate::rules;
use xtask_core::rules::{DOCTOR, Described};

/// Every rule that is known by a name: those of `check` and those of `doctor`.
fn all() -> impl Iterator<Item = (&'static str, Described)> {
    let check = rules::ALL.iter().map(|rule| (rule.severity.word(), rule.described));
    check.chain(DOCTOR.iter().map(|described| ("doctor", *described)))
}

pub fn names() -> Vec<&'static str> {
    all().map(|(_, described)| described.name).collect()
}

/// `None`: there is no such rule.
pub fn explain(name: &str) -> Option<String> {
    let (kind, Described { name, what, why, source }) = all().find(|(_, d)| d.name == name)?;
    let who = match kind {
        "doctor" => "cargo xtask doctor".to_owned(),
        severity => format!("cargo xtask check; {severity}"),
    };
    let excuse = match kind {
        "doctor" => String::new(),
        _ => format!(
            "\n\nA deliberate exception, on the line or above it:\n  # check: allow {name} REASON"
        ),
    };
    Some(format!("{name} ({who})\n\nHolds: {what}.\nElse: {why}.\nKnown from: {source}.{excuse}"))
}

/// The table of docs/rules.md.
pub fn table() -> String {
    let mut text = String::new();
    for (title, of_doctor) in [("check", false), ("doctor", true)] {
        let rows: Vec<_> = all().filter(|(kind, _)| (*kind == "doctor") == of_doctor).collect();
        if rows.is_empty() {
            continue;
        }
        text += &format!("\n## `cargo xtask {title}`\n\n");
        text += if of_doctor {
            "| rule | what must hold | otherwise | known from |\n| --- | --- | --- | --- |\n"
        } else {
            "| rule | what must hold | otherwise | known from | a finding is |\n| --- | --- | --- | --- | --- |\n"
        };
        for (kind, Described { name, what, why, source }) in rows {
            let cell = |text: &str| text.replace('|', "\\|");
            let last = if of_doctor {
                String::new()
            } else {
                format!(" {} |", if kind == "error" { "an error" } else { "a warning" })
            };
            text += &format!(
                "| `{name}` | {} | {} | {} |{last}\n",
                cell(what),
                cell(why),
                cell(source)
            );
        }
    }
    text
}
