//! A rule: name, explanation, the check itself, and fixtures that only this rule catches.

use crate::finding::{Finding, Location, Severity};
use crate::fix::Fix;
use crate::tree::SourceTree;
use xtask_core::failure::Fault;
use xtask_core::rules::Described;

pub(crate) struct Rule {
    pub(crate) described: Described,
    pub(crate) severity: Severity,
    pub(crate) check: fn(&SourceTree, &mut Findings),
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests read them"))]
    pub(crate) fixtures: &'static [Fixture],
}

impl Fixture {
    /// The same edit as a variant that must give no finding.
    pub(crate) const fn legal(self) -> Fixture {
        Fixture { legal: true, ..self }
    }
}

impl Rule {
    pub(crate) fn name(&self) -> &'static str {
        self.described.name
    }
}

/// A change that breaks the clean tree in `fixtures/clean`.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests read it"))]
pub(crate) struct Fixture {
    pub(crate) path: &'static str,
    pub(crate) edit: FixtureEdit,
    /// Part of the line that the finding must point at. Empty: any line.
    pub(crate) at: &'static str,
    /// A variant that must give no finding.
    pub(crate) legal: bool,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "only tests read it"))]
pub(crate) enum FixtureEdit {
    /// Replaces the first occurrence of a text.
    Replace(&'static str, &'static str),
    Append(&'static str),
    /// Writes the whole file, or a new one.
    Write(&'static [u8]),
    Remove,
    /// Sets the executable bit on disk and in git.
    Executable(bool),
    /// Turns every line end into CRLF.
    Crlf,
    /// Replaces the file with a symbolic link to this target.
    Link(&'static str),
    /// Replaces the file with an empty folder.
    Folder,
    /// Fills the file with this many bytes of text.
    Size(usize),
    /// Makes the path a gitlink to this commit.
    Gitlink(&'static str),
}

pub(crate) const fn replace(
    path: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
) -> Fixture {
    Fixture { path, edit: FixtureEdit::Replace(from, to), at, legal: false }
}

pub(crate) const fn edit(path: &'static str, edit: FixtureEdit, at: &'static str) -> Fixture {
    Fixture { path, edit, at, legal: false }
}

/// A variant of the clean tree that must give no finding.
pub(crate) const fn legal(path: &'static str, from: &'static str, to: &'static str) -> Fixture {
    replace(path, from, to, "").legal()
}

/// Collects the findings of one rule.
pub(crate) struct Findings {
    rule: &'static str,
    /// Returns `true` for the name of a rule.
    pub(crate) is_rule: fn(&str) -> bool,
    severity: Severity,
    pub(crate) list: Vec<Finding>,
    pub(crate) notes: Vec<String>,
    /// The reason why the rule could not run.
    pub(crate) skipped: Option<String>,
}

impl Findings {
    pub(crate) fn of(rule: &'static Rule, is_rule: fn(&str) -> bool) -> Findings {
        Findings {
            rule: rule.name(),
            is_rule,
            severity: rule.severity,
            list: Vec::new(),
            notes: Vec::new(),
            skipped: None,
        }
    }

    pub(crate) fn add(
        &mut self,
        location: Location,
        what: impl Into<String>,
        expected: impl Into<String>,
        fix: impl Into<Fix>,
    ) {
        self.list.push(Finding {
            rule: self.rule,
            severity: self.severity,
            location,
            what: what.into(),
            expected: expected.into(),
            fix: fix.into(),
        });
    }

    /// Adds the faults of a file, each at its line.
    pub(crate) fn add_faults(&mut self, path: &str, faults: Vec<Fault>, expected: &str) {
        for (line, what) in faults {
            self.add(Location::line(path, line), what, expected, "correct the line");
        }
    }

    /// Says what the rule did not look at although it ran.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Says why the rule could not run.
    pub(crate) fn skip(&mut self, reason: impl Into<String>) {
        self.skipped = Some(reason.into());
    }
}
