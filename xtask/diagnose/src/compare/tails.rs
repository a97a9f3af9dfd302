//! Blocks of a squashfs that hold the tails of several files: what none of these files has.

use super::content;
use super::shares::Shares;
use super::spot::{Broken, Of as _, Spot};
use super::walk::{Stop, TreeWalk};
use crate::difference::Side;
use diskimage::squashfs::{SharedBlock, Stored};
use diskimage::{Content, PartContent, source::Bytes};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl TreeWalk<'_> {
    /// Bytes beside the tails of files, which no file has.
    pub(super) fn tails(
        &mut self,
        spot: &Spot,
        parts: [Option<PartContent>; 2],
    ) -> Result<(), Stop> {
        let lists = parts.map(|part| match part {
            Some(PartContent::SharedBlocks(blocks)) => blocks,
            _ => Vec::new(),
        });
        // all files are compared first: what that finds equal need not be unpacked
        self.out.told()?;
        let rests = rests(&self.shares, lists)?;
        if let Some(first) = content::differ(&self.shares, &rests)? {
            self.out.tell(vec![content::bytes(&self.shares, spot, &rests, first)])?;
        }
        Ok(())
    }
}

/// The bytes of A and of B that no file has. Blocks that are stored alike in both are not unpacked.
fn rests(shares: &Shares, lists: [Vec<SharedBlock>; 2]) -> Result<[Content; 2], Broken> {
    let stored = lists.each_ref().map(|list| {
        let places = list.iter().filter_map(|block| Some((place(block)?, block.stored)));
        places.collect::<HashMap<u64, Stored>>()
    });
    let mut rests = [Vec::new(), Vec::new()];
    for (side, list) in [Side::A, Side::B].into_iter().zip(lists) {
        let compared = shares.blocks.known_equal(side);
        let others = &stored[1 - side as usize];
        for mut block in list {
            if !is_equal(shares, &block, &compared, others) {
                rests[side as usize].extend(block.rest().of(side)?);
            }
        }
    }
    Ok(rests.map(|rest| Content::Plain(Arc::new(Bytes(rest)))))
}

/// Returns true if the other side has the same block.
fn is_equal(
    shares: &Shares,
    block: &SharedBlock,
    compared: &HashSet<u64>,
    others: &HashMap<u64, Stored>,
) -> bool {
    let Some(place) = place(block) else { return false };
    let Stored { len, packed, .. } = block.stored;
    let at_the_same_place = || {
        let map = shares.map.as_ref();
        others.get(&place).is_some_and(|other| (other.len, other.packed) == (len, packed))
            && map.is_some_and(|map| map.all_equal(place, len.into()))
    };
    compared.contains(&place) || at_the_same_place()
}

/// Offset of a block in the outermost file.
fn place(block: &SharedBlock) -> Option<u64> {
    block.image().place(block.stored.offset, block.stored.len.into())
}
