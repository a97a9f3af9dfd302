//! A rule of the content policy that an image does not hold.

/// Why an image does not hold its policy: one thing, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// For programs: never changes.
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

impl Violation {
    /// The rule of what inspect did not understand.
    pub(super) const CANNOT_TELL: &str = "cannot-tell";

    pub(super) fn new(rule: &'static str, what: impl Into<String>) -> Violation {
        Violation { rule, what: what.into() }
    }

    pub(super) fn is_unclear(&self) -> bool {
        self.rule == Self::CANNOT_TELL
    }
}
