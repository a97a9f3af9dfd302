//! The bytes of a FAT that no file has: boot code, leftovers of the allocation tables and of deleted
//! files, and what stands behind the file system.

use super::allocation;
use super::boot_sector::LAYER;
use super::directory_entry::ENTRY;
use super::untold::Untold;
use super::volume::{ROOT, Volume};
use crate::budget::Held;
use crate::error::Result;
use crate::ranges::DescribedRanges;
use crate::source::Bytes;
use crate::tree::{Kind, LISTING, Node, Part, Tree, Walked};
use std::collections::HashSet;
use std::sync::Arc;

pub(super) fn parts(tree: &dyn Tree, volume: &Volume) -> Result<Vec<Part>> {
    let shape = &volume.shape;
    let end = volume.source.size()?;
    let mut parts = Vec::new();
    let mut bytes = |name: &str, bytes: Vec<u8>| {
        if bytes.iter().any(|byte| *byte != 0) {
            parts.push(Part::bytes(name, None, Arc::new(Bytes(bytes))));
        }
    };

    let reserved = shape.fat.min(LISTING as u64) as usize;
    let mut boot = volume.source.exactly(LAYER, 0, reserved)?;
    for (at, len) in shape.told(&boot) {
        boot[at..at + len].fill(0);
    }
    bytes("[boot code]", boot);

    let mut used = Used {
        known: DescribedRanges::new(LAYER),
        clusters: HashSet::new(),
        rest: Vec::new(),
        held: volume.budget.hold(LAYER, 0, 0)?,
    };
    walk(tree, volume, &mut used)?;
    let table_len = shape.fat_len.min(LISTING as u64) as usize;
    let _held = volume.budget.hold(LAYER, shape.fat, 2 * table_len as u64)?;
    let table = volume.source.exactly(LAYER, shape.fat, table_len)?;
    let is_used = |cluster: u32| used.clusters.contains(&cluster);
    bytes("[rest of the allocation table]", allocation::leftover(shape, &table, &is_used));
    let mut copies = Vec::new();
    used.known.add(shape.fat, table_len as u64)?;
    for copy in 1..u64::from(shape.fats) {
        let start = shape.fat + copy * shape.fat_len;
        used.known.add(start, table_len as u64)?;
        volume.budget.unpack(LAYER, start, table_len as u64)?;
        let other = volume.source.exactly(LAYER, start, table_len)?;
        if other != table {
            copies.extend(other);
        }
    }
    bytes("[other allocation tables]", copies);
    bytes("[rest of the directories]", used.rest);

    used.known.add(0, reserved as u64)?;
    let rest = used.known.part("[outside of the files]", &volume.source, &volume.budget, 0, end)?;
    parts.extend(rest);
    Ok(parts)
}

struct Used {
    known: DescribedRanges,
    clusters: HashSet<u32>,
    /// Bytes of directory entries that the tree does not tell.
    rest: Vec<u8>,
    held: Held,
}

impl Used {
    /// Keeps bytes of a folder at `start`, unless all are zero.
    fn add(&mut self, start: u64, bytes: &[u8]) -> Result<()> {
        if bytes.iter().any(|byte| *byte != 0) {
            self.held.grow(LAYER, start, bytes.len() as u64)?;
            self.rest.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// Memory that a cluster takes in a set, in bytes.
const CLUSTER: u64 = 16;

/// Adds the ranges and clusters of all folders and files.
fn walk(tree: &dyn Tree, volume: &Volume, used: &mut Used) -> Result<()> {
    let mut walked = Walked::default();
    // folder, depth, first cluster of the folder around it
    let mut open = vec![(Node::bare_root(ROOT), 0, 0)];
    while let Some((folder, depth, parent)) = open.pop() {
        walked.enter(tree, &folder, depth)?;
        for (start, len) in volume.folder(folder.handle)? {
            used.known.add(start, len)?;
        }
        let first = if folder.handle == ROOT {
            (volume.shape.bits == 32).then_some(volume.shape.root_cluster)
        } else {
            Some(volume.entry(folder.handle)?.cluster)
        };
        if let Some(first) = first {
            clusters(volume, first, u64::MAX, used)?;
        }
        // the root is named by 0, wherever it is
        let own = if folder.handle == ROOT { 0 } else { first.unwrap_or(0) };
        leftover(volume, &folder, [own, parent], used)?;
        for (_, node) in tree.list(&folder)? {
            if node.metadata.kind == Kind::Folder {
                open.push((node, depth + 1, own));
                continue;
            }
            let mut left = node.metadata.size;
            if left == 0 {
                continue;
            }
            let first = volume.entry(node.handle)?.cluster;
            clusters(volume, first, left, used)?;
            for (start, len) in volume.extents(first, left)? {
                used.known.add(start, len.min(left))?;
                left -= len.min(left);
            }
        }
    }
    Ok(())
}

/// Adds the clusters of a chain, each of which costs memory.
fn clusters(volume: &Volume, first: u32, most: u64, used: &mut Used) -> Result<()> {
    let shape = &volume.shape;
    allocation::chain(shape, &*volume.source, &volume.budget, first, most, &mut |cluster| {
        used.clusters.insert(cluster);
        used.held.grow(LAYER, shape.fat, CLUSTER)
    })
}

/// Adds deleted entries, the bytes behind the mark of the end, and the entries of the folder for
/// itself and its parent as far as they say something new.
/// `clusters`: where the folder and its parent begin.
fn leftover(volume: &Volume, folder: &Node, clusters: [u32; 2], used: &mut Used) -> Result<()> {
    let own = volume.source.exactly(LAYER, folder.handle, ENTRY)?;
    let mut ended = false;
    let mut entries = Untold::default();
    for (start, len) in volume.folder(folder.handle)? {
        volume.budget.unpack(LAYER, start, len)?;
        let bytes = volume.source.exactly(LAYER, start, len as usize)?;
        for raw in bytes.chunks_exact(ENTRY) {
            ended |= raw[0] == 0;
            let mut rest = raw.to_vec();
            if ended || matches!(raw[0], b'.' | 0xe5) {
                used.add(start, &entries.long_name())?;
            }
            if !ended && raw[0] == b'.' {
                // its times usually repeat the folder's
                let cluster = clusters[usize::from(raw[1] == b'.')].to_le_bytes();
                if matches!(&raw[..12], b".          \x10" | b"..         \x10")
                    && [&raw[26..28], &raw[20..22]].concat() == cluster
                {
                    rest[..12].fill(0);
                    rest[20..22].fill(0);
                    rest[26..28].fill(0);
                }
                for times in [13..20, 22..26] {
                    if rest[times.clone()] == own[times.clone()] {
                        rest[times].fill(0);
                    }
                }
            } else if !ended && raw[0] != 0xe5 {
                rest = entries.entry(raw);
            }
            used.add(start, &rest)?;
        }
    }
    used.add(folder.handle, &entries.long_name())
}
