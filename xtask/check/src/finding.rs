//! What a rule says when something is wrong.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It will do harm one day, or it is a leftover; nothing breaks today.
    Warning,
    /// A build, a verification or a release will fail or mean nothing.
    Error,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A file, and where in it; 0 says "the file as a whole".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From the root of the checkout.
    pub path: String,
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub fn file(path: &str) -> Place {
        Place { path: path.to_owned(), line: 0, column: 0 }
    }

    pub fn line(path: &str, line: usize) -> Place {
        Place { path: path.to_owned(), line, column: 1 }
    }

    pub fn at(path: &str, (line, column): (usize, usize)) -> Place {
        Place { path: path.to_owned(), line, column }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    pub place: Place,
    /// What is wrong, with what was found there.
    pub what: String,
    pub expected: String,
    /// The command or the edit that mends it.
    pub fix: String,
}
