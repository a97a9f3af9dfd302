//! A known cause of differences: its evidence, and the lever that mends it.

use super::context::Context;
use crate::difference::{FieldKind, MetadataField, Place};
use crate::edits::declared::Declared;
use crate::edits::{Changes, Edit};

/// One known cause of a difference.
#[derive(Debug)]
pub(crate) struct CauseRule {
    /// For programs: never changes.
    pub(crate) id: &'static str,
    /// The difference and its reason, as the end of "412 places: …".
    pub(crate) name: &'static str,
    /// The lever that mends it.
    pub(crate) fix: &'static str,
    /// The source of this knowledge.
    pub(crate) source: &'static str,
    pub(crate) evidence: Evidence,
}

/// The proof that a rule asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Evidence {
    /// Files with one of these paths (glob patterns). A path alone proves nothing: the rule gives a
    /// better name to times, ids and orders that are proved, and is the hint where nothing is.
    Paths(&'static [&'static str]),
    /// The same paths, and both whole contents have this shape.
    Whole(&'static [&'static str], fn(&str, &str) -> bool),
    /// A header field.
    Field(&'static [FieldKind]),
    /// A header field with this name.
    FieldNamed(&'static str),
    Metadata(fn(&Changed<'_>) -> bool),
    /// The order of entries in one of these layers; none named: in any other.
    EntryOrder(&'static [&'static str]),
    /// The order of lines or words in a content; `true`: as a language sorts on one side.
    WordOrder(bool),
    /// An edit in a content. The first such rule of the table has it.
    Edit(fn(&Edit, &At<'_>) -> bool),
    /// The same, beside the rule that has the edit.
    AlsoEdit(fn(&Edit, &At<'_>) -> bool),
    /// A field that a content's own format declares.
    Declared(fn(Declared, &At<'_>) -> bool),
    /// Layers of these formats with other bytes, opened to their end on both sides and equal.
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

/// The place of a difference, and what is known of it and of the builds.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) place: &'a Place,
    pub(crate) layer: &'a str,
    pub(crate) context: &'a Context,
    /// The content that the difference is in.
    pub(crate) content: Option<&'a Changes>,
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
