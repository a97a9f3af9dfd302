//! Ids, labels and keys that changed places: no build makes for one thing what another thing had in the other build.

use super::fact::{Facts, Seen};
use super::rules::lookup;
use super::{At, Context};
use crate::difference::{FieldKind, Side};
use crate::images::Images;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};

/// Ids and labels of file systems and partitions of A that stand elsewhere in B.
pub(super) struct ExchangedIds(HashSet<String>);

impl ExchangedIds {
    pub(super) fn of(facts: &Facts) -> ExchangedIds {
        let mut ids: [HashSet<String>; 2] = Default::default();
        for fact in &facts.list {
            for (a, b) in changed(&fact.what) {
                ids[0].insert(a);
                ids[1].insert(b);
            }
        }
        let [a, b] = ids;
        ExchangedIds(a.intersection(&b).cloned().collect())
    }

    /// Returns true if a field has one of them.
    pub(super) fn has(&self, what: &Seen) -> bool {
        let is = |id: &String| self.0.contains(id);
        !self.0.is_empty() && changed(what).iter().any(|(a, b)| is(a) || is(b))
    }
}

/// The ids that differ; the field of a partition table has those of all partitions.
fn changed(what: &Seen) -> Vec<(String, String)> {
    use FieldKind::{DiskId, FatLabel, FatSerial, FileSystemId, VolumeName};
    let Seen::Field {
        kind: DiskId | FatLabel | FatSerial | FileSystemId | VolumeName, a, b, ..
    } = what
    else {
        return Vec::new();
    };
    // what is cleared is no id
    let is_id = |id: &str| id.len() > 1 && id.contains(|c: char| c.is_alphanumeric() && c != '0');
    let normal = |id: &str| id.to_lowercase();
    let pairs = a.split("; ").zip(b.split("; ")).filter(|(a, b)| a != b && is_id(a) && is_id(b));
    pairs.map(|(a, b)| (normal(a), normal(b))).collect()
}

/// Facts whose whole content is another file's of the other side, as far as a rule knows such contents by their shape.
pub(super) fn contents(facts: &Facts, context: &Context, images: &Images) -> HashSet<usize> {
    let mut seen: HashMap<[u8; 32], [HashSet<usize>; 2]> = HashMap::new();
    for (index, fact) in facts.list.iter().enumerate() {
        let Seen::Content(changes) = &fact.what else { continue };
        let at = At { place: &fact.place, layer: fact.layer, context, content: Some(&**changes) };
        if !changes.secret && lookup::by_whole_path(&at).next().is_none() {
            continue;
        }
        for side in [Side::A, Side::B] {
            if let Some(bytes) = images.read(side, fact.place.layers(), fact.place.path()) {
                let sides = seen.entry(Sha256::digest(&bytes).into()).or_default();
                sides[side as usize].insert(index);
            }
        }
    }
    let moved = seen.into_values().filter(|[a, b]| !a.is_empty() && !b.is_empty());
    moved.flat_map(|[a, b]| a.into_iter().chain(b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_changed_places_are_found() {
        let field = |a: &str, b: &str| Seen::Field {
            kind: FieldKind::DiskId,
            name: "GPT partition GUIDs",
            a: a.to_owned(),
            b: b.to_owned(),
        };
        let exchanged = |list: [Seen; 2]| {
            let fact = |what| super::super::fact::Fact {
                place: Default::default(),
                layer: "partition table",
                what,
            };
            let mut facts = Facts::default();
            facts.list.extend(list.map(fact));
            let ids = ExchangedIds::of(&facts);
            facts.list.iter().filter(|fact| ids.has(&fact.what)).count()
        };
        assert_eq!(exchanged([field("one; two", "two; one"), field("x1", "x2")]), 1);
        assert_eq!(exchanged([field("one", "two"), field("two", "one")]), 2);
        assert_eq!(exchanged([field("one; same", "two; same"), field("x1", "same")]), 0);
        assert_eq!(exchanged([field("00000000", "12ab"), field("12ab", "00000000")]), 0);
    }
}
