//! Contents whose edits are judged together.

use crate::classify::CauseRule;

/// A content whose causes count only together: if one edit has none, nothing of it is explained.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) found: Vec<Found>,
    /// Edits that nothing explains so far.
    pub(super) left: Vec<usize>,
    /// True if some edits are proved to follow from others.
    pub(super) follows: bool,
    /// The usual cause of what is left, which does not count here: a setting or code is somebody's decision.
    pub(super) hint: Option<&'static CauseRule>,
}

/// One cause of a part of a content.
pub(super) struct Found {
    pub(super) rule: &'static CauseRule,
    pub(super) detail: String,
    pub(super) lines: Vec<String>,
}
