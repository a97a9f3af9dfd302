//! A difference in content, as edits.

use super::declared::Declared;
use super::shape::is_base64;
use super::words::WordKind;
use crate::dates::Moment;
use crate::text::shortened;
use std::collections::HashSet;

/// Distinct edits that are kept of one content.
const MOST: usize = 4_096;
/// Bytes of a word or line that are kept. A longer one is shown, and never explained.
const LONGEST: usize = 400;

/// All that is remembered of a difference in content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changes {
    /// Distinct ones, in the order of their places.
    pub(crate) edits: Vec<Edit>,
    /// Lines, or items of a line, stand in another order.
    pub(crate) reordered: Option<Reordered>,
    /// Why the edits do not account for every byte; `None`: applied to A, they give B.
    pub(crate) rest: Option<String>,
    /// True if A or B is a script, in which the order of lines is the order of acts.
    pub(crate) script: bool,
    /// True if A or B has sections (`[name]`), statements, or blocks of bytes, so that a line means another thing
    /// elsewhere.
    pub(crate) sections: bool,
    /// True if each content is one private key and nothing else.
    pub(crate) secret: bool,
    /// Name of a known format that is not opened, if A or B is in one; whoever compares them says so.
    pub(crate) unread: Option<&'static str>,
    /// Seconds since 1970 that the only bytes that differ would be, if they were a time. A guess.
    pub(crate) perhaps: Option<(i64, i64)>,
    /// Bytes of both files.
    pub(crate) sizes: [u64; 2],
    /// The first difference, as lines with `-` and `+`.
    pub(crate) excerpt: Vec<String>,
    known: HashSet<(String, String, String, String)>,
}

/// One thing that stands where another stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Edit {
    pub(crate) what: Edited,
    pub(crate) a: String,
    pub(crate) b: String,
    /// The line of `a` (of `b`, where only it has one) up to the edit, and behind it.
    pub(crate) before: String,
    pub(crate) after: String,
    /// True if both contents are text as a whole.
    pub(crate) in_text: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edited {
    Dates(Moment, Moment),
    Uuid,
    Hex,
    Blob,
    Number,
    Path,
    Name,
    /// Words of different kinds, or more than one.
    Text,
    /// A line that only one side has; the other string is empty.
    Line,
    /// A field at a place that the content's own format declares.
    Declared(Declared),
    /// Bytes that are no text, or a text too long to be judged. Nothing explains them.
    Bytes,
}

/// An order that differs, with the first two elements that changed places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reordered {
    pub(crate) a: String,
    pub(crate) b: String,
    /// One side is sorted by bytes, the other as a language sorts.
    pub(crate) by_locale: bool,
}

impl Edited {
    pub(super) fn of(a: WordKind, b: WordKind) -> Edited {
        match (a, b) {
            (WordKind::Date(a), WordKind::Date(b)) => Edited::Dates(a, b),
            (WordKind::Uuid, WordKind::Uuid) => Edited::Uuid,
            (WordKind::Path, WordKind::Path) => Edited::Path,
            (WordKind::Blob, _) | (_, WordKind::Blob) => Edited::Blob,
            (WordKind::Hex, WordKind::Hex) => Edited::Hex,
            (WordKind::Number, WordKind::Number) => Edited::Number,
            // a hexadecimal id may happen to have no letter, or no number
            (WordKind::Hex, WordKind::Number) | (WordKind::Number, WordKind::Hex) => Edited::Hex,
            (WordKind::Name, WordKind::Name) => Edited::Name,
            _ => Edited::Text,
        }
    }
}

impl Edit {
    /// The name that a value is given to: `timeout` of `timeout=5`, `Port` of `Port: 22`.
    pub(crate) fn key(&self) -> Option<&str> {
        let before = self.before.trim_end_matches(['"', '\'', '`']).trim_end();
        let named = before.strip_suffix(['=', ':'])?.trim_end_matches(['"', '\'', ' ', '\t']);
        let start = named.rfind(|c: char| !(c.is_alphanumeric() || "_.-".contains(c)));
        Some(&named[start.map_or(0, |i| i + named[i..].chars().next().map_or(1, char::len_utf8))..])
    }
}

impl Changes {
    /// Contents of which not all was read.
    pub(crate) fn unread(sizes: [u64; 2], why: String, excerpt: Vec<String>) -> Changes {
        Changes { sizes, rest: Some(why), excerpt, ..Changes::new() }
    }

    /// One content is the other one and zeros behind it.
    pub(crate) fn padding(sizes: [u64; 2]) -> Changes {
        let size = |n: u64| format!("{n} bytes");
        let edit = Edit {
            what: Edited::Declared(Declared::Padding),
            a: size(sizes[0]),
            b: size(sizes[1]),
            before: String::new(),
            after: String::new(),
            in_text: false,
        };
        Changes { sizes, edits: vec![edit], ..Changes::new() }
    }

    pub(super) fn new() -> Changes {
        Changes {
            edits: Vec::new(),
            reordered: None,
            rest: None,
            script: false,
            sections: false,
            secret: false,
            unread: None,
            perhaps: None,
            sizes: [0, 0],
            excerpt: Vec::new(),
            known: HashSet::new(),
        }
    }

    /// Returns true if no edit and no order tells what differs.
    pub(crate) fn is_opaque(&self) -> bool {
        self.edits.iter().all(|edit| edit.what == Edited::Bytes) && self.reordered.is_none()
    }

    pub(super) fn add(&mut self, mut edit: Edit) {
        if edit.a.len().max(edit.b.len()) > LONGEST {
            edit.what = Edited::Bytes;
            edit.a = shortened(&edit.a, LONGEST);
            edit.b = shortened(&edit.b, LONGEST);
        }
        let (before, after) = match edit.what {
            Edited::Dates(..) => (edit.around_date(), edit.key().unwrap_or_default().to_owned()),
            Edited::Bytes => Default::default(),
            _ => (edit.before.clone(), edit.after.clone()),
        };
        let same = (edit.a.clone(), edit.b.clone(), before, after);
        if self.known.contains(&same) {
            return;
        }
        if self.edits.len() >= MOST {
            self.rest.get_or_insert_with(|| format!("more than {MOST} edits"));
            return;
        }
        self.known.insert(same);
        self.edits.push(edit);
    }

    /// Returns true if a line that stands elsewhere is nothing but bytes in base64, which mean something only in
    /// their order.
    pub(super) fn moves_base64(&self) -> bool {
        let moved = self.reordered.as_ref();
        moved.is_some_and(|order| is_base64(&order.a) && is_base64(&order.b))
    }

    pub(super) fn finish(&mut self) {
        self.known = HashSet::new();
        self.edits.shrink_to_fit();
    }
}

/// A text that is shown, at most [`LONGEST`] bytes.
pub(super) fn cut(text: &str) -> String {
    shortened(text, LONGEST)
}
