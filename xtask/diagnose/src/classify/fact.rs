//! A difference reduced to what judging it needs, so that a hundred thousand fit in memory.

use crate::difference::{Difference, Entry, FieldKind, MetadataField, Place, Sample, Side, What};
use crate::edits::Changes;
use std::ops::Range;

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
    OnlyIn {
        side: Side,
        entry: Entry,
    },
    Field {
        kind: FieldKind,
        name: &'static str,
        a: String,
        b: String,
    },
    Metadata {
        field: MetadataField,
        a: String,
        b: String,
    },
    Order {
        a: Vec<String>,
        b: Vec<String>,
    },
    Content(Box<Changes>),
    /// A boot image that differs only where its own place and checksum were written into it.
    BootInfo,
    Unreadable {
        side: Side,
        offset: u64,
        why: String,
    },
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
            What::Content { a, b } if layer == "ISO 9660" && only_boot_info(&a, &b) => {
                Seen::BootInfo
            }
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

/// Where xorriso writes into a boot image of the ISO it makes: `-boot-info-table` (places of the
/// volume descriptor and of the image, its length and checksum), and `--grub2-boot-info` (the place
/// of the image, in sectors of 512 bytes). Both are in mkisofs(8)'s and xorrisofs(1)'s words.
const BOOT_INFO: [Range<u64>; 2] = [8..64, 2548..2556];

fn only_boot_info(a: &Sample, b: &Sample) -> bool {
    let whole = |sample: &Sample| sample.window.len() as u64 == sample.size - sample.window_start;
    let places = || a.window_start..a.size;
    a.size == b.size
        && a.size >= BOOT_INFO[0].end
        && whole(a)
        && whole(b)
        && places()
            .zip(a.window.iter().zip(&b.window))
            .filter(|(_, (a, b))| a != b)
            .all(|(place, _)| BOOT_INFO.iter().any(|info| info.contains(&place)))
}
