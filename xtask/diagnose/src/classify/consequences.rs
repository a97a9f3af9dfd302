//! Differences that follow from others, as far as that can be proved from what was compared.

use super::fact::{Fact, Facts, Seen};
use crate::dates;
use crate::difference::{FieldKind, Place};
use crate::edits::declared::Declared;
use crate::edits::{Edit, Edited};
use std::collections::HashSet;

/// The differences as a whole.
pub(super) struct Consequences {
    /// Containers in which something differs.
    holds: HashSet<Place>,
    /// Containers in which something has another length, so that what comes behind it has moved.
    moved: HashSet<Place>,
    /// Layers that could not be read to their end.
    broken: HashSet<Place>,
    /// Layers in which anything differs but how many sectors there are.
    otherwise: HashSet<Place>,
    /// The number of sectors of an ISO on both sides.
    sectors: Vec<(String, String)>,
    /// The volume's dates on both sides, seconds since 1970.
    volume_dates: Vec<(i64, i64)>,
}

/// Returns true if a position lies behind the end of the image on one side only: nothing lies there that could have moved.
fn is_beyond(fact: &Fact) -> bool {
    let Seen::Field { a, b, .. } = &fact.what else { return false };
    let beyond = |text: &str| -> Vec<String> {
        text.split("; ").filter(|end| end.starts_with("the end + ")).map(str::to_owned).collect()
    };
    beyond(a) != beyond(b)
}

impl Consequences {
    pub(super) fn of(facts: &Facts) -> Consequences {
        let mut found = Consequences {
            holds: HashSet::new(),
            moved: HashSet::new(),
            broken: HashSet::new(),
            otherwise: HashSet::new(),
            sectors: Vec::new(),
            volume_dates: Vec::new(),
        };
        for fact in &facts.list {
            let layers = &fact.place.0;
            let moves = match &fact.what {
                Seen::OnlyIn { .. } | Seen::Order { .. } => true,
                Seen::Content(changes) => changes.sizes[0] != changes.sizes[1],
                Seen::Repacked { sizes, .. } => sizes[0] != sizes[1],
                // the length of a compressed layer follows from what is in it
                _ => false,
            };
            let sectors = matches!(&fact.what, Seen::Field { name: "sectors", .. });
            if !sectors {
                for n in 0..=layers.len() {
                    found.otherwise.insert(Place(layers[..n].to_vec()));
                }
            }
            for n in 0..layers.len() {
                let container = Place(layers[..n].to_vec());
                if moves || n + 1 < layers.len() {
                    found.moved.insert(container.clone());
                }
                found.holds.insert(container);
            }
            match &fact.what {
                Seen::Unreadable { .. } => {
                    found.broken.insert(fact.place.clone());
                }
                Seen::Field { name: "sectors", a, b, .. } => {
                    found.sectors.push((a.clone(), b.clone()));
                }
                // with another compressor all blocks lie elsewhere
                Seen::Field { kind: FieldKind::Compressor, .. } => {
                    found.holds.insert(fact.place.clone());
                }
                Seen::Field { kind: FieldKind::VolumeDate, a, b, .. } => {
                    if let (Some((_, a)), Some((_, b))) = (dates::at(a), dates::at(b)) {
                        found.volume_dates.push((a.seconds, b.seconds));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Returns true if the layer at this place could not be read to its end.
    pub(super) fn is_broken(&self, place: &Place) -> bool {
        self.broken.contains(place)
    }

    /// Returns true if a header field only says where things lie, in a layer that was read to its end and in
    /// which things have moved.
    pub(super) fn has_field(&self, fact: &Fact) -> bool {
        let Seen::Field { kind, .. } = &fact.what else { return false };
        if self.is_broken(&fact.place) {
            return false;
        }
        match kind {
            // boot images and partitions are compared as parts, wherever they lie
            FieldKind::Extent => self.moved.contains(&fact.place) && !is_beyond(fact),
            // computed again from what is compared
            FieldKind::BlobDigest => self.holds.contains(&fact.place),
            FieldKind::Layout => fact.layer == "squashfs" && self.holds.contains(&fact.place),
            _ => false,
        }
    }

    /// Returns true if an ISO only has more sectors than the other one, all files, tables and gaps being equal:
    /// they hold zeros.
    pub(super) fn is_only_longer(&self, fact: &Fact) -> bool {
        let iso = match fact.place.0.split_last() {
            Some((last, layers)) if last == "[Joliet]" => Place(layers.to_vec()),
            _ => fact.place.clone(),
        };
        matches!(fact.what, Seen::Field { kind: FieldKind::Extent, name: "sectors", .. })
            && !self.otherwise.contains(&iso)
    }

    /// Returns true if an edit is the volume's date, which names the volume, or stands in a copy of the volume
    /// descriptor as in itself.
    pub(super) fn has_edit(&self, edit: &Edit) -> bool {
        if edit.what == Edited::Declared(Declared::DescriptorCopy) {
            // as in the volume descriptor itself
            let seconds = |text: &str| dates::at(text).map(|(_, moment)| moment.seconds);
            let dates = seconds(&edit.a).zip(seconds(&edit.b));
            // the copy counts from a later sector, and without what stands behind the volume
            let number = |text: &str| text.parse::<i64>().ok();
            let fewer = |(x, y): &(String, String)| {
                Some(number(x)? - number(&edit.a)? == number(y)? - number(&edit.b)?)
            };
            return self.sectors.iter().any(|pair| fewer(pair) == Some(true))
                || dates.is_some_and(|dates| self.volume_dates.contains(&dates));
        }
        matches!(edit.what, Edited::Dates(a, b)
            if self.volume_dates.contains(&(a.seconds, b.seconds)) && a.notation == b.notation)
    }
}
