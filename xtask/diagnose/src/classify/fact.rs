//! A difference as judging it needs it, so that a hundred thousand fit in memory.

use crate::difference::{
    Difference, DifferenceKind, FieldKind, MetadataField, OneSidedEntry, Place, Side,
};
use crate::edits::Changes;

/// Edits of all contents that are kept.
const EDITS: usize = 400_000;

#[derive(Debug)]
pub(super) struct Fact {
    pub(super) place: Place,
    pub(super) layer: &'static str,
    pub(super) what: Seen,
}

#[derive(Debug)]
pub(super) enum Seen {
    OnlyIn { side: Side, entry: OneSidedEntry },
    Field { kind: FieldKind, name: &'static str, a: String, b: String },
    Metadata { field: MetadataField, a: String, b: String },
    Order { a: Vec<String>, b: Vec<String> },
    Content(Box<Changes>),
    Repacked { format: &'static str, sizes: [u64; 2] },
    Unreadable { side: Side, offset: u64, why: String },
    NotJudged(String),
}

/// Everything that was found, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(super) list: Vec<Fact>,
    edits: usize,
}

impl Facts {
    /// Returns true if nothing differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn add(&mut self, difference: Difference) {
        let Difference { place, layer, what } = difference;
        let what = match what {
            DifferenceKind::OnlyIn { side, entry } => Seen::OnlyIn { side, entry },
            DifferenceKind::Field { kind, name, a, b } => Seen::Field { kind, name, a, b },
            DifferenceKind::Metadata { field, a, b } => Seen::Metadata { field, a, b },
            DifferenceKind::Order { a, b } => Seen::Order { a, b },
            DifferenceKind::Repacked { format, sizes } => Seen::Repacked { format, sizes },
            DifferenceKind::NotJudged(why) => Seen::NotJudged(why),
            DifferenceKind::Unreadable { side, offset, why } => {
                Seen::Unreadable { side, offset, why }
            }
            DifferenceKind::Content(mut changes) => {
                if self.edits + changes.edits.len() > EDITS {
                    changes.edits.truncate(1);
                    changes.rest.get_or_insert_with(|| "too many edits in all files".to_owned());
                }
                self.edits += changes.edits.len();
                Seen::Content(changes)
            }
        };
        self.list.push(Fact { place, layer, what });
    }
}
