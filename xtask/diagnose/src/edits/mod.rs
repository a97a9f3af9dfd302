//! What was edited between two contents: which words, numbers, dates or lines stand for which.

pub(crate) mod binary;
pub(crate) mod lines;
pub(crate) mod words;

use crate::dates::Moment;
use crate::difference::Sample;
use crate::text::shortened;
use words::Kind;

/// Edits that are kept of one file; enough to judge it, few enough to keep thousands of files.
const KEPT: usize = 64;
/// Bytes of a line or word that are kept.
const LONGEST: usize = 200;

/// How a content was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Text,
    /// The printable strings in it, and where sizes agree the bytes between.
    Binary,
}

/// All that is remembered of a difference in content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changes {
    pub(crate) reading: Reading,
    /// Distinct ones, in the order of their places.
    pub(crate) edits: Vec<Edit>,
    /// Equal lines stand in another order, or equal words of a line do.
    pub(crate) reordered: Option<Reordered>,
    /// Binary: bytes differ that no edit shows.
    pub(crate) opaque: bool,
    /// Only a window of the file was looked at, or more edits were found than are kept.
    pub(crate) partial: bool,
    /// Bytes of both files.
    pub(crate) sizes: [u64; 2],
    /// A short look at the first difference, as lines with `-` and `+`.
    pub(crate) excerpt: Vec<String>,
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
    /// Four or eight bytes that are seconds since 1970 on both sides.
    RawTime(i64, i64),
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
    fn of(a: Kind, b: Kind) -> Edited {
        match (a, b) {
            (Kind::Date(a), Kind::Date(b)) => Edited::Dates(a, b),
            (Kind::Uuid, Kind::Uuid) => Edited::Uuid,
            (Kind::Path, Kind::Path) => Edited::Path,
            (Kind::Blob, _) | (_, Kind::Blob) => Edited::Blob,
            (Kind::Hex, Kind::Hex) => Edited::Hex,
            (Kind::Number, Kind::Number) => Edited::Number,
            // a hexadecimal id may happen to have no letter, or no number
            (Kind::Hex, Kind::Number) | (Kind::Number, Kind::Hex) => Edited::Hex,
            (Kind::Name, Kind::Name) => Edited::Name,
            _ => Edited::Text,
        }
    }
}

impl Changes {
    pub(crate) fn between(a: &Sample, b: &Sample) -> Changes {
        let partial = !a.whole() || !b.whole();
        let mut changes = match (text(a), text(b)) {
            (Some(x), Some(y)) => lines::compare(x, y),
            _ => binary::compare(a, b),
        };
        changes.partial |= partial;
        changes.sizes = [a.size, b.size];
        changes
    }

    fn new(reading: Reading) -> Changes {
        Changes {
            reading,
            edits: Vec::new(),
            reordered: None,
            opaque: false,
            partial: false,
            sizes: [0, 0],
            excerpt: Vec::new(),
        }
    }

    fn add(&mut self, edit: Edit) {
        let same = |known: &Edit| known.a == edit.a && known.b == edit.b;
        if self.edits.len() < KEPT {
            // the same replacement again says nothing new, unless the place could tell more
            if self.edits.iter().filter(|known| same(known)).count() < 3 {
                self.edits.push(edit);
            }
        } else if !self.edits.iter().any(same) {
            self.partial = true;
        }
    }
}

/// The window as text, cut to whole characters at its ends; `None` when it is something else.
fn text(sample: &Sample) -> Option<&str> {
    let bytes = sample.window.as_slice();
    if bytes.contains(&0) {
        return None;
    }
    // a window may begin and end within a character
    let skip = if sample.window_start == 0 {
        0
    } else {
        bytes.iter().take(3).take_while(|b| **b & 0xc0 == 0x80).count()
    };
    match std::str::from_utf8(&bytes[skip..]) {
        Ok(text) => Some(text),
        Err(error) if !sample.whole() && bytes.len() - skip - error.valid_up_to() < 4 => {
            std::str::from_utf8(&bytes[skip..skip + error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// At most [`LONGEST`] bytes, cut at a character's end.
fn cut(text: &str) -> String {
    shortened(text, LONGEST)
}
