//! The rules themselves: one explained, or all as the tables of docs/rules.md.

use crate::finding::Severity;
use crate::rules;
use crate::selection::unknown_rule;
use anyhow::Result;
use xtask_core::failure::Code;
use xtask_core::rules::{DOCTOR, Described};

/// Link to the explanation of a rule of `check`.
pub(crate) fn link(rule: &str) -> String {
    format!("docs/rules.md#check-{rule}")
}

/// Explains a rule. If both `check` and `doctor` have a rule of that name, both are explained.
pub fn explain(name: &str) -> Result<String> {
    let of_check = rules::find(name).map(|rule| {
        let command = format!("cargo xtask check; {}", rule.severity.word());
        one(&rule.described, &command)
            + &format!(
                "\n\nTo allow an exception, write on the line or above it:\n  # check: allow {name} REASON"
            )
    });
    let of_doctor = DOCTOR.iter().find(|rule| rule.name == name);
    let of_doctor = of_doctor.map(|described| one(described, "cargo xtask doctor"));
    let texts: Vec<String> = of_check.into_iter().chain(of_doctor).collect();
    match texts.is_empty() {
        true => Err(Code::Usage.error(unknown_rule(name).unwrap_or_default())),
        false => Ok(texts.join("\n\n")),
    }
}

fn one(described: &Described, command: &str) -> String {
    let Described { name, what, why, source } = described;
    format!("{name} ({command})\n\nMust hold: {what}.\nOtherwise: {why}.\nKnown from: {source}.")
}

/// The tables of docs/rules.md. Findings point at the anchors.
pub fn table() -> String {
    let mut text = String::from(
        "## `cargo xtask check`\n\n\
         | rule | must hold | otherwise | known from | a finding is |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for rule in rules::ALL {
        let severity = match rule.severity {
            Severity::Error => "an error",
            Severity::Warning => "a warning",
        };
        text += &format!("{} {severity} |\n", row("check", &rule.described));
    }
    text += "\n## `cargo xtask doctor`\n\n\
             | rule | must hold | otherwise | known from |\n\
             | --- | --- | --- | --- |\n";
    for described in DOCTOR {
        text += &format!("{}\n", row("doctor", described));
    }
    text.trim_end().to_owned()
}

fn row(command: &str, described: &Described) -> String {
    let Described { name, what, why, source } = described;
    let cells = [what, why, source].map(|text| text.replace('|', "\\|")).join(" | ");
    format!("| <a id=\"{command}-{name}\"></a>`{name}` | {cells} |")
}
