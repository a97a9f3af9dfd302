//! Selection of the rules that run: `--only` and `--skip`.

use crate::rules;
use anyhow::Result;
use xtask_core::failure::Code;
use xtask_core::names::did_you_mean;
use xtask_core::rules::DOCTOR;

/// The rules that run. Every name in it is a rule of `check`, and at least one rule is left.
#[derive(Clone, Debug, Default)]
pub struct RuleSelection {
    /// Empty selects all rules.
    only: Vec<String>,
    skip: Vec<String>,
}

impl RuleSelection {
    /// A usage error names every unknown rule, or says that the selection is empty.
    pub fn new(only: Vec<String>, skip: Vec<String>) -> Result<RuleSelection> {
        let unknown: Vec<String> =
            only.iter().chain(&skip).filter_map(|name| unknown_rule(name)).collect();
        if !unknown.is_empty() {
            return Err(Code::Usage.error(format!(
                "{}\n`cargo xtask check --table` lists all rules",
                unknown.join("\n")
            )));
        }
        let selection = RuleSelection { only, skip };
        if !rules::ALL.iter().any(|rule| selection.includes(rule.name())) {
            return Err(Code::Usage.error("--skip leaves no rule to run"));
        }
        Ok(selection)
    }

    pub(crate) fn includes(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|n| n == name);
        (self.only.is_empty() || listed(&self.only)) && !listed(&self.skip)
    }

    pub(crate) fn only(&self) -> &[String] {
        &self.only
    }
}

/// Message for a name that is no rule of `check`.
pub(crate) fn unknown_rule(name: &str) -> Option<String> {
    if rules::find(name).is_some() {
        return None;
    }
    if DOCTOR.iter().any(|rule| rule.name == name) {
        return Some(format!("`{name}` is a rule of `cargo xtask doctor`, not of `check`"));
    }
    let suggestion = did_you_mean(name, rules::ALL.iter().map(|rule| rule.name()));
    Some(format!("no rule is named `{name}`{suggestion}"))
}
