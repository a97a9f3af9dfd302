//! What only follows from another difference, and so is no cause of its own.

use super::At;
use super::fact::{Fact, Facts, Seen};
use crate::dates;
use crate::difference::{FieldKind, Place};
use crate::edits::{Edit, Edited};
use std::collections::HashSet;

/// Files that hold hashes of other files.
const SUMS: [&str; 8] = [
    "**/*sums",
    "**/*SUMS",
    "**/*sums.txt",
    "**/md5sum.txt",
    "**/sha*sum.txt",
    "**/*.sha256",
    "**/RECORD",
    "var/lib/initramfs-tools/**",
];

/// What says where things lie in an ISO: the boot catalogue, copies of the volume descriptor, and
/// the boot code, which knows the sector of the boot image.
const WHERE: [&str; 4] = ["**/boot.cat", "**/boot.catalog", "[between the files]", "[boot code]"];

/// Lengths of MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512 in hexadecimal digits.
const HASHES: [usize; 6] = [32, 40, 56, 64, 96, 128];

/// What differs at all, seen from the outside.
pub(super) struct Consequences {
    /// Containers in which something differs.
    holds: HashSet<Place>,
    /// Last names of what differs.
    names: HashSet<String>,
    /// The volume's dates on both sides, seconds since 1970.
    volume_dates: Vec<(i64, i64)>,
    /// Whether anything differs that says more than where things lie.
    elsewhere: bool,
}

impl Consequences {
    pub(super) fn of(facts: &Facts) -> Consequences {
        let mut found = Consequences {
            holds: HashSet::new(),
            names: HashSet::new(),
            volume_dates: Vec::new(),
            elsewhere: false,
        };
        for fact in &facts.list {
            found.elsewhere |= !only_says_where(fact);
            let layers = &fact.place.0;
            for n in 0..layers.len() {
                found.holds.insert(Place(layers[..n].to_vec()));
            }
            if let Seen::Field { kind, a, b, .. } = &fact.what {
                // a field is inside of the layer that has it
                if !is_consequence(*kind) {
                    found.holds.insert(fact.place.clone());
                }
                if let (FieldKind::VolumeDate, Some((_, a)), Some((_, b))) =
                    (kind, dates::at(a), dates::at(b))
                {
                    found.volume_dates.push((a.seconds, b.seconds));
                }
            }
            if let Some(name) = fact.place.path().rsplit('/').next() {
                found.names.insert(name.to_owned());
            }
        }
        found
    }

    /// Whether this only says where things lie, and they lie elsewhere.
    pub(super) fn of_layout(&self, fact: &Fact) -> bool {
        self.elsewhere && only_says_where(fact)
    }

    /// Whether something inside of this container differs, too.
    pub(super) fn holds(&self, place: &Place) -> bool {
        self.holds.contains(place)
    }

    /// A hash of something that differs, or the volume's date as its name.
    pub(super) fn explains(&self, edit: &Edit, at: &At<'_>) -> bool {
        match edit.what {
            Edited::Dates(a, b) => self.volume_dates.contains(&(a.seconds, b.seconds)),
            Edited::Hex | Edited::Blob => {
                let hash = HASHES.contains(&edit.a.len()) && edit.a.len() == edit.b.len();
                let words = edit
                    .after
                    .split([' ', '*', '/', '\t'])
                    .chain(edit.before.split([' ', '(', ')', '/']));
                hash && (at.path_is(&SUMS)
                    || words.filter(|word| word.len() > 2).any(|word| self.names.contains(word)))
            }
            _ => false,
        }
    }
}

fn only_says_where(fact: &Fact) -> bool {
    let path = fact.place.path();
    matches!(fact.what, Seen::BootInfo)
        || WHERE.iter().any(|p| xtask_core::glob::matches_path(p, path))
}

/// Whether a header field only says where things are, or hashes them.
pub(super) fn is_consequence(kind: FieldKind) -> bool {
    matches!(
        kind,
        FieldKind::ApplicationUse
            | FieldKind::Extent
            | FieldKind::Layout
            | FieldKind::BuildId
            | FieldKind::BootRecord
    )
}
