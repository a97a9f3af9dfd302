//! The result of a diagnosis: causes, and whatever has none.

use super::account::Counts;
use super::rule::CauseRule;
use crate::difference::Place;

/// Everything that is said of two images.
#[derive(Debug, Default)]
pub(crate) struct Diagnosis {
    pub(crate) causes: Vec<Cause>,
    /// Differences that were proved to follow from others.
    pub(crate) follows: Vec<Item>,
    pub(crate) unexplained: Vec<Item>,
    /// Layers that were not read, or not to their end.
    pub(crate) unreadable: Vec<Item>,
    /// True if a content differs anywhere, and not only what stands around contents.
    pub(crate) contents: bool,
    pub(crate) counts: Counts,
}

/// A proved cause, and everything that it made differ.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) rule: &'static CauseRule,
    /// Which one of its kind, e.g. the two strings that stand for each other; may be empty.
    pub(crate) detail: String,
    pub(crate) places: Vec<Place>,
    /// Lines with `-` and `+` of the first place, unless they name another one.
    pub(crate) excerpt: Vec<String>,
}

/// A place, what differs there, and how that looks.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) what: String,
    /// True if it is a content, which can be looked into further.
    pub(crate) content: bool,
    pub(crate) excerpt: Vec<String>,
    /// The cause that a difference at such a place usually has; here it is not proved.
    pub(crate) usually: Option<&'static CauseRule>,
}
