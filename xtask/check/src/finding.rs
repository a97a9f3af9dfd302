//! Findings: problems with a rule, a location and a fix.

use crate::fix::Fix;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing breaks today, but it will do harm one day, or it is a leftover.
    Warning,
    /// A build, a verification or a release will fail or mean nothing.
    Error,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A location in a file. Line 0 means the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    /// Relative to the root of the checkout.
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Location {
    pub(crate) fn file(path: &str) -> Location {
        Location { path: path.to_owned(), line: 0, column: 0 }
    }

    pub(crate) fn line(path: &str, line: usize) -> Location {
        Location { path: path.to_owned(), line, column: 1 }
    }

    pub(crate) fn at(path: &str, (line, column): (usize, usize)) -> Location {
        Location { path: path.to_owned(), line, column }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: &'static str,
    pub(crate) severity: Severity,
    pub(crate) location: Location,
    /// The problem, with the value that was found.
    pub(crate) what: String,
    pub(crate) expected: String,
    pub(crate) fix: Fix,
}
