//! One run: every selected rule over one tree; exceptions taken out, leftovers of them added.

use crate::finding::{Finding, Severity};
use crate::model::exception::{self, Exception};
use crate::rule::Findings;
use crate::rules;
use crate::tree::Tree;

/// Which rules run.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Empty: all.
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

pub struct Outcome {
    /// By path and line.
    pub findings: Vec<Finding>,
    /// Findings that a comment beside the line excuses.
    pub excused: Vec<(Finding, Exception)>,
    /// What could not be looked at, each once.
    pub notes: Vec<String>,
    /// How many rules ran.
    pub rules: usize,
}

impl Selection {
    fn takes(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|n| n == name);
        (self.only.is_empty() || listed(&self.only)) && !listed(&self.skip)
    }
}

impl Outcome {
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

pub fn run(tree: &Tree, selection: &Selection) -> Outcome {
    let mut outcome =
        Outcome { findings: Vec::new(), excused: Vec::new(), notes: Vec::new(), rules: 0 };
    let mut ran = Vec::new();
    for rule in rules::ALL {
        if selection.takes(rule.described.name) {
            let mut findings = Findings::of(rule);
            (rule.check)(tree, &mut findings);
            outcome.findings.append(&mut findings.list);
            outcome.notes.append(&mut findings.notes);
            ran.push(rule.described.name);
        }
    }
    outcome.rules = ran.len();
    excuse(tree, &mut outcome);
    if selection.takes(rules::exceptions::NAME) {
        let unused = outcome.unused(tree, &ran);
        outcome.findings.extend(unused);
    }
    let key = |f: &Finding| (f.place.clone(), f.rule, f.what.clone());
    outcome.findings.sort_by_key(key);
    outcome.findings.dedup();
    outcome.notes.sort();
    outcome.notes.dedup();
    outcome
}

fn excuse(tree: &Tree, outcome: &mut Outcome) {
    let exceptions = exception::all(tree);
    for finding in std::mem::take(&mut outcome.findings) {
        let matching = exceptions.iter().find(|e| e.is_valid() && e.excuses(&finding));
        match matching.filter(|_| finding.rule != rules::exceptions::NAME) {
            Some(exception) => outcome.excused.push((finding, exception.clone())),
            None => outcome.findings.push(finding),
        }
    }
}

impl Outcome {
    fn unused(&self, tree: &Tree, ran: &[&str]) -> Vec<Finding> {
        exception::all(tree)
            .into_iter()
            .filter(|e| e.is_valid() && ran.contains(&e.rule.as_str()))
            .filter(|e| !self.excused.iter().any(|(_, used)| used == e))
            .map(|e| rules::exceptions::unused(&e))
            .collect()
    }
}
