//! A rule: a name, an explanation, the check itself, and fixtures that it alone catches.

use crate::finding::{Finding, Place, Severity};
use crate::tree::Tree;
use xtask_core::rules::Described;

pub struct Rule {
    pub described: Described,
    pub severity: Severity,
    pub check: fn(&Tree, &mut Findings),
    pub fixtures: &'static [Fixture],
}

/// One way to break the clean tree in `fixtures/clean`.
#[derive(Clone, Copy, Debug)]
pub struct Fixture {
    pub path: &'static str,
    pub edit: Edit,
    /// A part of the line that the finding must point at; empty: the file as a whole.
    pub at: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub enum Edit {
    /// The first occurrence of a text by another.
    Replace(&'static str, &'static str),
    Append(&'static str),
    /// A new or other content.
    Write(&'static [u8]),
    Remove,
    /// Executable or not, in git too.
    Executable(bool),
    /// Every line end becomes CRLF.
    Crlf,
    /// A symbolic link to this.
    Link(&'static str),
    Folder,
    /// That many bytes of text.
    Size(usize),
    /// A gitlink to this commit.
    Gitlink(&'static str),
}

pub const fn replace(
    path: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
) -> Fixture {
    Fixture { path, edit: Edit::Replace(from, to), at }
}

pub const fn edit(path: &'static str, edit: Edit, at: &'static str) -> Fixture {
    Fixture { path, edit, at }
}

/// What one rule finds.
pub struct Findings {
    rule: &'static str,
    severity: Severity,
    pub(crate) list: Vec<Finding>,
    /// What could not be looked at, and why that is no finding.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    pub(crate) fn of(rule: &'static Rule) -> Findings {
        let Described { name, .. } = rule.described;
        Findings { rule: name, severity: rule.severity, list: Vec::new(), notes: Vec::new() }
    }

    pub fn add(
        &mut self,
        place: Place,
        what: impl Into<String>,
        expected: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.list.push(Finding {
            rule: self.rule,
            severity: self.severity,
            place,
            what: what.into(),
            expected: expected.into(),
            fix: fix.into(),
        });
    }

    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}
