//! Finds the rule of a difference in the tables.

use super::super::rule::{At, CauseRule, Changed, Evidence};
use super::all;
use crate::difference::{FieldKind, MetadataField};
use crate::edits::declared::Declared;
use crate::edits::{Edit, Edited};

type Shape = fn(&str, &str) -> bool;

fn find(holds: impl Fn(&Evidence) -> bool) -> Option<&'static CauseRule> {
    all().find(|rule| holds(&rule.evidence))
}

/// The rule for files with such a path, whatever is in them.
pub(crate) fn by_path(at: &At<'_>) -> Option<&'static CauseRule> {
    find(|evidence| matches!(evidence, Evidence::Paths(paths) if at.path_is(paths)))
}

/// The rules for files with such a path, and the shape that their contents must have.
pub(crate) fn by_whole_path(at: &At<'_>) -> impl Iterator<Item = (&'static CauseRule, Shape)> {
    all().filter_map(|rule| match rule.evidence {
        Evidence::Whole(paths, shape) if at.path_is(paths) => Some((rule, shape)),
        _ => None,
    })
}

/// The cause that a difference at such a place usually has.
pub(crate) fn usual(at: &At<'_>) -> Option<&'static CauseRule> {
    by_path(at).or_else(|| by_whole_path(at).next().map(|(rule, _)| rule))
}

pub(crate) fn by_field(kind: FieldKind, name: &str) -> Option<&'static CauseRule> {
    let named = find(|evidence| matches!(evidence, Evidence::FieldNamed(x) if *x == name));
    let of_kind = || find(|e| matches!(e, Evidence::Field(kinds) if kinds.contains(&kind)));
    named.or_else(of_kind)
}

/// The rule for a property of an entry; `others`: what else must hold of a rule.
pub(crate) fn by_metadata(
    at: &At<'_>,
    field: &MetadataField,
    a: &str,
    b: &str,
    others: impl Fn(&CauseRule) -> bool,
) -> Option<&'static CauseRule> {
    let changed = Changed { at: *at, field, a, b };
    all().find(|rule| {
        matches!(rule.evidence, Evidence::Metadata(holds) if holds(&changed)) && others(rule)
    })
}

pub(crate) fn by_entry_order(layer: &str, by_locale: bool) -> Option<&'static CauseRule> {
    // Linux finds a name in a squashfs only where its place among the others is right, and dpkg takes the first
    // members that fit
    if matches!(layer, "squashfs" | "deb") {
        return None;
    }
    let of_words = by_locale.then(|| by_word_order(true)).flatten();
    let of_layer = |layers: &&[&str]| layers.is_empty() || layers.contains(&layer);
    of_words.or_else(|| {
        find(|evidence| matches!(evidence, Evidence::EntryOrder(layers) if of_layer(layers)))
    })
}

pub(crate) fn by_word_order(by_locale: bool) -> Option<&'static CauseRule> {
    find(|evidence| matches!(evidence, Evidence::WordOrder(x) if *x == by_locale))
}

pub(crate) fn by_repacking(format: &str) -> Option<&'static CauseRule> {
    find(|evidence| matches!(evidence, Evidence::Repacked(formats) if formats.contains(&format)))
}

/// The first rule that has the edit, and those beside it.
pub(crate) fn by_edit(edit: &Edit, at: &At<'_>) -> Vec<&'static CauseRule> {
    if let Edited::Declared(declared) = edit.what {
        let rule = match declared {
            Declared::FileSystemId => by_field(FieldKind::FileSystemId, ""),
            Declared::FileSystemTime => by_field(FieldKind::FileSystemTime, ""),
            _ => find(|e| matches!(e, Evidence::Declared(holds) if holds(declared, at))),
        };
        if rule.is_some() {
            return rule.into_iter().collect();
        }
    }
    let first = find(|evidence| matches!(evidence, Evidence::Edit(holds) if holds(edit, at)));
    let beside =
        all().filter(|rule| matches!(rule.evidence, Evidence::AlsoEdit(holds) if holds(edit, at)));
    first.into_iter().chain(beside).collect()
}
