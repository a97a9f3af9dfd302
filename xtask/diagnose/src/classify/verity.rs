//! Hash trees of dm-verity (veritysetup(8); cryptsetup, lib/verity): computed over the data that they cover.

use super::fact::{Facts, Seen};
use crate::difference::{Place, Side};
use crate::edits::Edit;
use crate::images::Images;
use diskimage::source::Slice;
use diskimage::{Shared, hex};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of a block of data, and of one of hashes; others are not recomputed.
const BLOCK: usize = 4096;
const DIGEST: usize = 32;

/// Trees that are recomputed, and files that each is tried with.
const TREES: usize = 16;
const FILES: usize = 256;

/// Files of hashes that differ and are proved to be what their superblock and their data make them.
pub(super) struct HashTrees(HashMap<usize, HashTree>);

/// One file of hashes, on both sides.
pub(super) struct HashTree {
    sides: [Superblock; 2],
    roots: [String; 2],
}

#[derive(PartialEq)]
struct Superblock {
    uuid: Vec<u8>,
    salt: Vec<u8>,
    blocks: u64,
}

impl HashTree {
    /// Returns true if both sides have one salt and one UUID, so that only the data makes the difference.
    pub(super) fn follows(&self) -> bool {
        let [a, b] = &self.sides;
        a.salt == b.salt && a.uuid == b.uuid
    }

    /// Differences beside the hashes, as lines with `-` and `+`.
    pub(super) fn excerpt(&self) -> Vec<String> {
        let line = |sign, side: &Superblock| {
            format!("{sign} salt {}, uuid {}", hex(&side.salt), hex(&side.uuid))
        };
        vec![line('-', &self.sides[0]), line('+', &self.sides[1])]
    }
}

impl HashTrees {
    pub(super) fn of(facts: &Facts, images: &Images) -> HashTrees {
        let is_tree = |fact: &Seen| matches!(fact, Seen::Content(changes) if changes.unread == Some("dm-verity hashes"));
        let places = facts.list.iter().enumerate().filter(|(_, fact)| is_tree(&fact.what));
        let found = places.take(TREES);
        HashTrees(
            found.filter_map(|(index, fact)| Some((index, tree(images, &fact.place)?))).collect(),
        )
    }

    pub(super) fn get(&self, index: usize) -> Option<&HashTree> {
        self.0.get(&index)
    }

    /// Returns true if an edit is the root hash, or the salt, of one of these trees: A's in A, B's in B.
    pub(super) fn has_edit(&self, edit: &Edit) -> bool {
        self.0.values().any(|tree| {
            let salts = tree.sides.each_ref().map(|side| hex(&side.salt));
            let edits = [edit.a.to_lowercase(), edit.b.to_lowercase()];
            edits == tree.roots || (edits == salts && edits[0].len() >= 2 * DIGEST)
        })
    }
}

/// The tree at this place, if a file beside it is what it was computed from, on both sides.
fn tree(images: &Images, place: &Place) -> Option<HashTree> {
    let hashes = |side| images.open(side, place);
    let sources = [hashes(Side::A)?, hashes(Side::B)?];
    let sides = [superblock(&sources[0])?, superblock(&sources[1])?];
    let (path, layers) = place.0.split_last()?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_data = |name: &String| {
        let mut place = Place(layers.to_vec());
        place.0.push(if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") });
        let root = |side: Side| {
            let data = images.open(side, &place)?;
            root(&data, &sources[side as usize], &sides[side as usize])
        };
        Some([root(Side::A)?, root(Side::B)?])
    };
    let roots = images.names(Side::A, layers, folder).iter().take(FILES).find_map(is_data)?;
    Some(HashTree { sides, roots })
}

/// The superblock of version 1 with SHA-256 over blocks of 4 KiB; everything else in its block is zero.
fn superblock(hashes: &Shared) -> Option<Superblock> {
    let bytes = hashes.exactly("dm-verity", 0, BLOCK).ok()?;
    let le32 = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let le16 = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let mut algorithm = [0; 32];
    algorithm[..6].copy_from_slice(b"sha256");
    let salt = 88 + usize::from(le16(80)?);
    let known = bytes.starts_with(b"verity\0\0")
        && (le32(8)?, le32(12)?) == (1, 1)
        && bytes[32..64] == algorithm
        && [le32(64)?, le32(68)?] == [BLOCK as u32; 2]
        && salt <= 88 + 256
        && bytes[82..88].iter().chain(&bytes[salt..]).all(|byte| *byte == 0);
    known.then_some(Superblock {
        uuid: bytes[16..32].to_vec(),
        salt: bytes[88..salt].to_vec(),
        blocks: u64::from_le_bytes(bytes[72..80].try_into().ok()?),
    })
}

/// The root hash, if the file of hashes is the tree over `data` to its last byte.
fn root(data: &Shared, hashes: &Shared, superblock: &Superblock) -> Option<String> {
    let block = BLOCK as u64;
    if superblock.blocks == 0 || data.size().ok()? / block != superblock.blocks {
        return None;
    }
    // blocks of each level, the one over the data first
    let mut levels = Vec::new();
    let mut count = superblock.blocks;
    while count > 1 {
        count = count.div_ceil((BLOCK / DIGEST) as u64);
        levels.push(count);
    }
    if hashes.size().ok()? != block * (1 + levels.iter().sum::<u64>()) {
        return None;
    }
    let salted = Sha256::new_with_prefix(&superblock.salt);
    let digest = |bytes: &[u8]| salted.clone().chain_update(bytes).finalize();
    // the top level lies first
    let mut at = hashes.size().ok()?;
    let mut below = data.clone();
    let mut count = superblock.blocks;
    for level in levels {
        at -= level * block;
        for n in 0..level {
            let stored = hashes.exactly("dm-verity", at + n * block, BLOCK).ok()?;
            let first = n * (BLOCK / DIGEST) as u64;
            for (i, wanted) in stored.chunks_exact(DIGEST).enumerate() {
                let of = first + i as u64;
                let fits = if of < count {
                    let bytes = below.exactly("dm-verity", of * block, BLOCK).ok()?;
                    digest(&bytes)[..] == *wanted
                } else {
                    wanted.iter().all(|byte| *byte == 0)
                };
                if !fits {
                    return None;
                }
            }
        }
        below = Arc::new(Slice::new(hashes.clone(), at, level * block));
        count = level;
    }
    Some(hex(&digest(&below.exactly("dm-verity", 0, BLOCK).ok()?)))
}
