//! The result of a diagnosis: causes, and what has none.

use super::rule::Rule;
use crate::difference::Place;

/// All that is said of two images.
#[derive(Debug, Default)]
pub(crate) struct Diagnosis {
    pub(crate) causes: Vec<Cause>,
    /// What has no cause of its own.
    pub(crate) follows: Vec<Item>,
    pub(crate) unexplained: Vec<Item>,
    pub(crate) unreadable: Vec<Item>,
    /// Whether a content differs anywhere, and not only what stands around it.
    pub(crate) contents: bool,
}

/// A cause, and everything that it made differ.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) rule: &'static Rule,
    /// Which one of its kind, e.g. the two strings that stand for each other; may be empty.
    pub(crate) detail: String,
    pub(crate) places: Vec<Place>,
    /// Lines with `-` and `+`, of the first place, unless it is another that they name.
    pub(crate) excerpt: Vec<String>,
}

/// A place, what differs there, and how that looks.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) what: String,
    /// Whether it is a content, which can be looked into further.
    pub(crate) content: bool,
    pub(crate) excerpt: Vec<String>,
}
