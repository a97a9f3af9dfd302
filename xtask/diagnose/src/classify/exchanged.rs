//! Keys and ids that changed places: no build makes for one file what another file had in the other build.

use super::fact::{Facts, Seen};
use super::rules::lookup;
use super::{At, Context};
use crate::difference::Side;
use crate::images::Images;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};

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
