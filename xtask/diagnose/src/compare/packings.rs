//! Streams of one content that are packed otherwise, beside something else that was told.

use super::content;
use super::spot::{Of as _, Spot};
use super::walk::{Stop, TreeWalk};
use crate::difference::{DifferenceKind, Side};
use diskimage::unpack::Packing;
use diskimage::{Content, Tree, printable};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The compressed bytes of a content, as a part of it.
pub(super) const STREAM: &str = "[compressed bytes]";

impl TreeWalk<'_> {
    /// Tells other compressed bytes of equal contents, unless the headers, which are told, say that another
    /// compressor or other settings made them.
    pub(super) fn packings(&mut self, spot: &Spot, trees: &[Arc<dyn Tree>; 2]) -> Result<(), Stop> {
        let lists = [trees[0].packings().of(Side::A)?, trees[1].packings().of(Side::B)?];
        for (member, [a, b]) in pairs(&lists) {
            if a.codec() != b.codec() || a.settings() != b.settings() {
                continue;
            }
            let packed = [a, b].map(|packing| Content::Plain(packing.packed()));
            let contents = [a, b].map(|packing| Content::Plain(packing.content()));
            let Some(first) = content::differ(&self.shares, &packed)? else { continue };
            if content::differ(&self.shares, &contents)?.is_some() {
                continue;
            }
            let place = match member {
                b"" => spot.place.clone(),
                name => spot.place.join(printable(name)),
            };
            if content::in_one_byte(&self.shares, &packed, first)? {
                let here = Spot::new(place.join(STREAM), spot.layer);
                self.out.tell(vec![content::bytes(&self.shares, &here, &packed, first)])?;
                continue;
            }
            let sizes = packed.each_ref().map(|packed| packed.source().size());
            let [a_size, b_size] = sizes;
            let sizes = [a_size.of(Side::A)?, b_size.of(Side::B)?];
            let here = Spot::new(place, spot.layer);
            let what = DifferenceKind::Repacked { format: a.codec().name(), sizes };
            self.out.tell(vec![here.difference(what)])?;
        }
        Ok(())
    }
}

/// The streams of A and B that belong together: of one member, or in the order in which they come.
fn pairs(lists: &[Vec<Packing>; 2]) -> Vec<(&[u8], [&Packing; 2])> {
    let mut named: BTreeMap<(&[u8], usize), [Option<&Packing>; 2]> = BTreeMap::new();
    for (side, list) in lists.iter().enumerate() {
        let mut counts: HashMap<&[u8], usize> = HashMap::new();
        for packing in list {
            let count = counts.entry(&packing.member).or_default();
            *count += 1;
            named.entry((&packing.member, *count)).or_default()[side] = Some(packing);
        }
    }
    let pair = |((member, _), [a, b]): ((_, usize), [Option<_>; 2])| Some((member, [a?, b?]));
    named.into_iter().filter_map(pair).collect()
}
