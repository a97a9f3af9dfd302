//! The builder's own number, which owns all that the builder made.

use super::fact::{Facts, Seen};
use super::rule::At;
use super::umask;
use crate::difference::MetadataField;
use std::collections::HashMap;

/// Entries of one layer that must have changed their owner alike before that is the builder's.
const SEVERAL: usize = 2;

/// How often one number stands for another as an owner, by layer and field.
pub(super) struct Owners {
    pairs: HashMap<(Vec<String>, MetadataField), HashMap<[String; 2], usize>>,
}

impl Owners {
    pub(super) fn of(facts: &Facts) -> Owners {
        let mut pairs: HashMap<_, HashMap<_, _>> = HashMap::new();
        for fact in &facts.list {
            if let Seen::Metadata {
                field: field @ (MetadataField::Uid | MetadataField::Gid),
                a,
                b,
            } = &fact.what
            {
                let of_layer =
                    pairs.entry((fact.place.layers().to_vec(), field.clone())).or_default();
                *of_layer.entry([a.clone(), b.clone()]).or_default() += 1;
            }
        }
        Owners { pairs }
    }

    /// Returns true if the layer has this owner instead of that one, and no other, at several entries, and the
    /// owner of this entry is none that a program decides.
    pub(super) fn are_borne_out(&self, at: &At<'_>, field: &MetadataField) -> bool {
        let of_layer = self.pairs.get(&(at.place.layers().to_vec(), field.clone()));
        of_layer.is_some_and(|pairs| pairs.len() == 1 && pairs.values().all(|n| *n >= SEVERAL))
            && !umask::is_set(at)
    }
}

/// Numbers of people begin at 1000 (Debian policy 9.2.2).
pub(super) fn is_person(id: &str) -> bool {
    id.parse::<u32>().is_ok_and(|id| (1000..65_534).contains(&id))
}
