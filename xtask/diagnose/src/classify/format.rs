//! Differences in a person's words.

use super::diagnosis::Item;
use super::fact::{Fact, Seen};
use crate::difference::{MetadataField, Side};
use crate::edits::{Edit, Edited};
use crate::text::{shortened, tail};

/// Bytes of a line that are shown on each side of an edit.
const AROUND: usize = 60;

/// A place of its own in the report, without an excerpt.
pub(super) fn item(fact: &Fact, what: String) -> Item {
    let content = matches!(fact.what, Seen::Content(_));
    Item { place: fact.place.clone(), what, content, excerpt: Vec::new(), usually: None }
}

/// A difference in a few words.
pub(super) fn what(fact: &Fact) -> String {
    match &fact.what {
        Seen::OnlyIn { side, entry } => format!("only in {side:?} ({})", entry.kind),
        Seen::Field { name, .. } => (*name).to_owned(),
        Seen::Metadata { field, .. } => field.name().to_owned(),
        Seen::Order { .. } => "order of entries".to_owned(),
        Seen::Content(changes) if changes.sizes[0] != changes.sizes[1] => {
            format!("content ({} and {} bytes)", changes.sizes[0], changes.sizes[1])
        }
        Seen::Content(_) => "content".to_owned(),
        Seen::Repacked { format, .. } => format!("other bytes of an equal {format}"),
        Seen::Unreadable { why, .. } | Seen::NotJudged(why) => why.clone(),
    }
}

/// A difference as lines with `-` and `+`.
pub(super) fn excerpt(fact: &Fact) -> Vec<String> {
    let both = |name: &str, a: &str, b: &str| vec![format!("- {name}{a}"), format!("+ {name}{b}")];
    match &fact.what {
        Seen::Field { name, a, b, .. } => both(&format!("{name}: "), a, b),
        Seen::Metadata { field: MetadataField::Mtime, a, b } => {
            let date = |text: &str| text.parse().map_or(text.to_owned(), xtask_core::calendar::utc);
            both("mtime ", &date(a), &date(b))
        }
        Seen::Metadata { field, a, b } => both(&format!("{} ", field.name()), a, b),
        Seen::Order { a, b } => {
            let first = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or(0);
            let some = |list: &[String]| {
                list.iter().skip(first).take(4).map(String::as_str).collect::<Vec<_>>().join(", ")
            };
            both("", &some(a), &some(b))
        }
        Seen::Content(changes) => changes.excerpt.clone(),
        Seen::OnlyIn { side, entry } => {
            let sign = if *side == Side::A { '-' } else { '+' };
            let with = if entry.xattrs.is_empty() { "" } else { ", with " };
            vec![format!(
                "{sign} {} {:04o} {}:{} {} bytes{with}{}",
                entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.xattrs
            )]
        }
        Seen::Repacked { .. } | Seen::Unreadable { .. } | Seen::NotJudged(_) => Vec::new(),
    }
}

/// An edit, as lines with `-` and `+`.
pub(super) fn shown(edit: &Edit) -> Vec<String> {
    [('-', &edit.a), ('+', &edit.b)]
        .into_iter()
        .filter(|(_, text)| edit.what != Edited::Line || !text.is_empty())
        .map(|(sign, text)| {
            let (before, after) = (tail(&edit.before, AROUND), shortened(&edit.after, AROUND));
            format!("{sign} {before}{text}{after}")
        })
        .collect()
}
