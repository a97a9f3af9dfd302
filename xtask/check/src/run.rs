//! One run: every selected rule over one tree, without what `# check: allow` comments excuse.

use crate::finding::{Finding, Severity};
use crate::model::exception::{self, Exception};
use crate::rule::Findings;
use crate::rules;
use crate::selection::RuleSelection;
use crate::tree::{CommandRefusal, SourceTree};
use anyhow::Result;
use std::path::Path;
use xtask_core::failure::Code;

/// The result of a run, and the files that the findings quote.
pub struct CheckReport {
    pub(crate) tree: SourceTree,
    /// Sorted by path and line.
    pub(crate) findings: Vec<Finding>,
    /// Findings that a `# check: allow` comment excuses.
    pub(crate) excused: Vec<(Finding, Exception)>,
    /// Gaps that rules report, without repetition.
    pub(crate) notes: Vec<String>,
    /// Rules that could not run, and why.
    pub(crate) skipped: Vec<(&'static str, String)>,
    /// Rules that ran.
    pub(crate) ran: Vec<&'static str>,
    /// Rules that `--only` names.
    asked_for: Vec<String>,
}

/// Runs the selected rules over the checkout in `root`. A folder that is no checkout asks for exit code 2.
/// `refusal` is xtask's own command line.
pub fn check(
    root: &Path,
    selection: &RuleSelection,
    refusal: CommandRefusal,
) -> Result<CheckReport> {
    let mut tree = SourceTree::load(root).map_err(|error| Code::Usage.wrap(error))?;
    tree.refusal = Some(refusal);
    Ok(run(tree, selection))
}

pub(crate) fn run(tree: SourceTree, selection: &RuleSelection) -> CheckReport {
    let mut report = CheckReport {
        tree,
        findings: Vec::new(),
        excused: Vec::new(),
        notes: Vec::new(),
        skipped: Vec::new(),
        ran: Vec::new(),
        asked_for: selection.only().to_owned(),
    };
    for rule in rules::ALL.iter().filter(|rule| selection.includes(rule.name())) {
        let mut found = Findings::of(rule, is_rule);
        (rule.check)(&report.tree, &mut found);
        report.findings.append(&mut found.list);
        report.notes.append(&mut found.notes);
        match found.skipped {
            Some(reason) => report.skipped.push((rule.name(), reason)),
            None => report.ran.push(rule.name()),
        }
    }
    report.excuse();
    report
        .findings
        .sort_by(|a, b| (&a.location, a.rule, &a.what).cmp(&(&b.location, b.rule, &b.what)));
    report.findings.dedup();
    report.notes.sort();
    report.notes.dedup();
    report
}

fn is_rule(name: &str) -> bool {
    rules::find(name).is_some()
}

impl CheckReport {
    /// Number of findings that are at least this severe.
    pub fn count(&self, least: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity >= least).count()
    }

    /// An error with exit code 3 if a rule that `--only` names, or every rule, could not run. With `all`, no
    /// selected rule may be missing.
    pub fn ensure_complete(&self, all: bool) -> Result<()> {
        let needed =
            |rule: &str| all || self.ran.is_empty() || self.asked_for.iter().any(|n| n == rule);
        let missing = self.skipped.iter().filter(|(rule, _)| needed(rule));
        let missing: Vec<String> =
            missing.map(|(rule, reason)| format!("rule `{rule}` did not run: {reason}")).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Code::NotReady.error(missing.join("\n"))),
        }
    }

    /// Everything that was not checked, and the reason: one line each.
    pub fn notes(&self) -> Vec<String> {
        let skipped = self.skipped.iter();
        let skipped = skipped.map(|(rule, reason)| format!("rule `{rule}` did not run: {reason}"));
        skipped.chain(self.notes.iter().cloned()).collect()
    }

    /// Moves excused findings aside, and reports exceptions that excuse nothing.
    fn excuse(&mut self) {
        let exceptions = exception::all(&self.tree);
        for finding in std::mem::take(&mut self.findings) {
            let matching = exceptions.iter().find(|e| e.is_valid(is_rule) && e.excuses(&finding));
            match matching.filter(|_| finding.rule != rules::exceptions::NAME) {
                Some(exception) => self.excused.push((finding, exception.clone())),
                None => self.findings.push(finding),
            }
        }
        if !self.ran.contains(&rules::exceptions::NAME) {
            return;
        }
        // an exception to a rule that did not run may still be needed
        let unused = exceptions.iter().filter(|e| {
            e.is_valid(is_rule)
                && self.ran.contains(&e.rule.as_str())
                && !self.excused.iter().any(|(_, used)| used == *e)
        });
        self.findings.extend(unused.map(rules::exceptions::unused));
    }
}
