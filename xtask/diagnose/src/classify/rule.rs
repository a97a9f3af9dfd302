//! A known cause of differences: its evidence, and the lever that mends it.

use super::context::Context;
use crate::difference::{FieldKind, MetadataField, Place};
use crate::edits::Edit;

/// One known cause of a difference.
#[derive(Debug)]
pub(crate) struct Rule {
    /// For programs: never changes.
    pub(crate) id: &'static str,
    /// What differs and why, as the end of "412 entries: …".
    pub(crate) name: &'static str,
    /// The lever that mends it.
    pub(crate) fix: &'static str,
    /// Where this is known from.
    pub(crate) source: &'static str,
    pub(crate) evidence: Evidence,
}

/// What makes a rule apply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Evidence {
    /// Content or existence of a file with one of these paths (glob patterns).
    Paths(&'static [&'static str]),
    /// A header field.
    Field(&'static [FieldKind]),
    Metadata(fn(&Changed<'_>) -> bool),
    /// The order of entries in one of these layers; none named: in any other.
    EntryOrder(&'static [&'static str]),
    /// The order of lines or words in a content; `true`: as a language sorts on one side.
    WordOrder(bool),
    /// An edit in a content. The first such rule of the table has it.
    Edit(fn(&Edit, &At<'_>) -> bool),
    /// The same, beside the rule that has the edit.
    AlsoEdit(fn(&Edit, &At<'_>) -> bool),
    /// Bytes of a container differ, whose contents do not: patterns of its path, or, of an image
    /// itself, its format.
    Repacked(&'static [&'static str]),
    /// Judged by code that sees all differences.
    Together,
}

/// A property of an entry that differs.
pub(crate) struct Changed<'a> {
    pub(crate) at: At<'a>,
    pub(crate) field: &'a MetadataField,
    pub(crate) a: &'a str,
    pub(crate) b: &'a str,
}

/// Where a difference is, and what is known of the builds.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) place: &'a Place,
    pub(crate) layer: &'a str,
    pub(crate) context: &'a Context,
}

impl At<'_> {
    pub(crate) fn path_is(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| xtask_core::glob::matches_path(pattern, self.path()))
    }

    /// The path of the file, also of one that is compressed; empty for an image itself.
    pub(crate) fn path(&self) -> &str {
        let layers = &self.place.0;
        layers.iter().rev().find(|name| *name != "[unpacked]").map_or("", String::as_str)
    }
}
