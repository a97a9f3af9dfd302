//! A difference reduced to what judging it needs, so that a hundred thousand fit in memory.

use crate::difference::{Difference, Entry, FieldKind, MetadataField, Place, Side, What};
use crate::edits::Changes;

/// Contents whose edits are all kept; of those that follow, ever fewer.
const FULL: usize = 2_000;
const SOME: usize = 20_000;

#[derive(Debug)]
pub(super) struct Fact {
    pub(super) place: Place,
    pub(super) layer: &'static str,
    pub(super) what: Seen,
}

#[derive(Debug)]
pub(super) enum Seen {
    OnlyIn { side: Side, entry: Entry },
    Field { kind: FieldKind, name: &'static str, a: String, b: String },
    Metadata { field: MetadataField, a: String, b: String },
    Order { a: Vec<String>, b: Vec<String> },
    Content(Box<Changes>),
    Unreadable { side: Side, offset: u64, why: String },
}

/// Everything that was found, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(super) list: Vec<Fact>,
    contents: usize,
}

impl Facts {
    /// Whether nothing differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn add(&mut self, difference: Difference) {
        let Difference { place, layer, what } = difference;
        let what = match what {
            What::OnlyIn { side, entry } => Seen::OnlyIn { side, entry },
            What::Field { kind, name, a, b } => Seen::Field { kind, name, a, b },
            What::Metadata { field, a, b } => Seen::Metadata { field, a, b },
            What::Order { a, b } => Seen::Order { a, b },
            What::Unreadable { side, offset, why } => Seen::Unreadable { side, offset, why },
            What::Content { a, b } => {
                self.contents += 1;
                let kept = if self.contents <= FULL {
                    usize::MAX
                } else if self.contents <= SOME {
                    8
                } else {
                    2
                };
                let mut changes = Changes::between(&a, &b);
                changes.partial |= changes.edits.len() > kept;
                changes.edits.truncate(kept);
                changes.edits.shrink_to_fit();
                Seen::Content(Box::new(changes))
            }
        };
        self.list.push(Fact { place, layer, what });
    }
}
