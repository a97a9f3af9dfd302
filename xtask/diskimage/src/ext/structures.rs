//! The structures of an ext4 around its files, each as a part with its name. What fields and entries
//! tell is cleared, and what was recomputed and found right: checksums, bitmaps, counts. So a part is
//! what nothing else tells.

use super::blocks::{self, Map};
use super::checksums::MetadataSums;
use super::directory;
use super::inode::{EXTENTS, Inode, MAP};
use super::reserved;
use super::superblock::LAYER;
use super::used::UsedBlocks;
use super::volume::Volume;
use super::{Ext, ROOT};
use crate::budget::Held;
use crate::error::Result;
use crate::ranges::DescribedRanges;
use crate::source::{Bytes, Shared};
use crate::tree::{Kind, LISTING, Node, Part, Tree as _, Walked};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn parts(ext: &Ext) -> Result<Vec<Part>> {
    let volume = &ext.volume;
    let mut structures = Structures {
        ext,
        volume,
        checksums: MetadataSums::of(&volume.superblock),
        known: DescribedRanges::new(LAYER),
        used: UsedBlocks::of(volume)?,
        rest: BTreeMap::new(),
        inodes: BTreeMap::new(),
        parts: Vec::new(),
        held: volume.budget.hold(LAYER, 0, 0)?,
    };
    structures.reserved()?;
    structures.folders()?;
    structures.tables()?;
    structures.superblock()?;
    structures.finish()
}

/// The structures, while they are gathered.
pub(super) struct Structures<'e> {
    ext: &'e Ext,
    pub(super) volume: &'e Volume,
    pub(super) checksums: MetadataSums,
    pub(super) known: DescribedRanges,
    pub(super) used: UsedBlocks,
    /// By the name of a structure: its bytes that nothing tells.
    rest: BTreeMap<&'static str, Vec<u8>>,
    /// The bytes of the inodes that are used, without what entries tell.
    pub(super) inodes: BTreeMap<u32, Vec<u8>>,
    parts: Vec<Part>,
    pub(super) held: Held,
}

impl Structures<'_> {
    pub(super) fn add(&mut self, name: &'static str, bytes: &[u8]) -> Result<()> {
        self.held.grow(LAYER, 0, bytes.len() as u64)?;
        self.rest.entry(name).or_default().extend_from_slice(bytes);
        Ok(())
    }

    /// Inodes that no folder names: their contents are parts, their times are a field.
    fn reserved(&mut self) -> Result<()> {
        for number in reserved::numbers(self.volume) {
            let inode = Inode::read(self.volume, number)?;
            self.used.add_inode(number, false);
            let mut bytes = inode.bytes.clone();
            self.checksums.inode(number, &mut bytes);
            for (at, _) in inode.times() {
                bytes[at..at + 4].fill(0);
            }
            if inode.mode != 0 && inode.size > 0 {
                let map = self.map(&inode, &mut bytes)?;
                // the blocks for growing stay among those of no file
                if number != reserved::RESIZE {
                    self.pieces(&map)?;
                    let content: Shared = self.ext.content(&inode)?;
                    let content = match self.volume.superblock.orphan_file() {
                        Some(orphans) if orphans == number => {
                            self.orphans(&inode, &map, &content)?
                        }
                        _ => content,
                    };
                    self.parts.extend(reserved::part(self.volume, number, content)?);
                }
            }
            self.keep(number, bytes)?;
        }
        Ok(())
    }

    /// The orphan file without its checksums.
    fn orphans(&mut self, inode: &Inode, map: &Map, content: &Shared) -> Result<Shared> {
        let len = self.volume.superblock.block as usize;
        let size = inode.size.min(LISTING as u64) as usize;
        let mut bytes = content.exactly(LAYER, 0, size)?;
        let numbers = map.blocks.iter().flat_map(|(first, count)| *first..first + count);
        for (block, number) in bytes.chunks_mut(len).zip(numbers) {
            self.checksums.orphans(inode.number, &inode.bytes, number, block);
        }
        Ok(Arc::new(Bytes(bytes)))
    }

    fn keep(&mut self, number: u32, bytes: Vec<u8>) -> Result<()> {
        self.held.grow(LAYER, number.into(), bytes.len() as u64 + 64)?;
        self.inodes.insert(number, bytes);
        Ok(())
    }

    /// The blocks of an inode, which are cleared in it, and the blocks that hold its map.
    fn map(&mut self, inode: &Inode, bytes: &mut [u8]) -> Result<Map> {
        let map = blocks::map(self.volume, inode)?;
        self.used.add_map(&map)?;
        let block_len = self.volume.superblock.block;
        for node in &map.nodes {
            let (offset, mut node) = self.volume.block(*node)?;
            self.known.add(offset, block_len)?;
            if inode.flags & EXTENTS != 0 {
                self.checksums.extents(inode.number, &inode.bytes, &mut node);
            }
            self.add("[maps of the files' blocks]", &node)?;
        }
        if inode.flags & EXTENTS != 0 {
            // the entries that were read; the rest of the node stays
            let count = usize::from(inode.record().le16(42)?);
            let end = (52 + count * 12).min(40 + MAP);
            bytes[40..44].fill(0);
            bytes[46..48].fill(0);
            bytes[52..end].fill(0);
        }
        let blocks: u64 = map.blocks.iter().map(|(_, count)| count).sum();
        let attributes = u64::from(attributes(inode)? != 0);
        let sectors = (blocks + map.nodes.len() as u64 + attributes) * (block_len / 512);
        if sectors <= u64::from(u32::MAX) && bytes[28..32] == (sectors as u32).to_le_bytes() {
            bytes[28..32].fill(0);
        }
        Ok(map)
    }

    /// The bytes of a file, which the tree tells.
    fn pieces(&mut self, map: &Map) -> Result<()> {
        map.pieces
            .iter()
            .filter_map(|(place, len)| Some(((*place)?, *len)))
            .try_for_each(|(place, len)| self.known.add(place, len))
    }

    /// Walks through all folders.
    fn folders(&mut self) -> Result<()> {
        let mut walked = Walked::default();
        let mut open = vec![(Node::bare_root(ROOT.into()), ROOT, 0)];
        while let Some((node, parent, depth)) = open.pop() {
            walked.enter(self.ext, &node, depth)?;
            let folder = self.ext.inode(&node)?;
            self.inode(&folder)?;
            self.names(&folder, parent)?;
            for (_, inner) in self.ext.list(&node)? {
                let kind = inner.metadata.kind;
                if kind == Kind::Folder {
                    open.push((inner, folder.number, depth + 1));
                } else {
                    let inode = self.ext.inode(&inner)?;
                    self.inode(&inode)?;
                }
            }
        }
        Ok(())
    }

    /// An inode that a folder names.
    fn inode(&mut self, inode: &Inode) -> Result<()> {
        let kind = inode.kind()?;
        if !self.used.add_inode(inode.number, kind == Kind::Folder) {
            return Ok(());
        }
        let mut bytes = inode.bytes.clone();
        self.checksums.inode(inode.number, &mut bytes);
        let block = attributes(inode)?;
        if block != 0 {
            let (offset, mut attributes) = self.volume.block(block)?;
            self.used.add_blocks(block, 1)?;
            self.known.add(offset, self.volume.superblock.block)?;
            // its checksum and its hash cover what follows, and are compared with it
            attributes[..4].fill(0);
            self.add("[blocks of attributes]", &attributes)?;
        }
        let fast = kind == Kind::Symlink && inode.size < MAP as u64;
        if fast {
            bytes[40..40 + inode.size as usize].fill(0);
        } else if matches!(kind, Kind::File | Kind::Folder | Kind::Symlink) {
            let map = self.map(inode, &mut bytes)?;
            self.pieces(&map)?;
        }
        for range in inode.told() {
            bytes[range].fill(0);
        }
        if matches!(kind, Kind::File | Kind::Symlink) {
            bytes[4..8].fill(0);
            bytes[108..112].fill(0);
        }
        self.keep(inode.number, bytes)
    }

    /// The bytes of a folder without the names that the tree tells.
    fn names(&mut self, folder: &Inode, parent: u32) -> Result<()> {
        let content: Shared = self.ext.content(folder)?;
        let size = folder.size.min(LISTING as u64) as usize;
        let mut bytes = content.exactly(LAYER, 0, size)?;
        for block in bytes.chunks_mut(self.volume.superblock.block as usize) {
            self.checksums.names(folder.number, &folder.bytes, block);
            let mut entries = directory::entries(folder, block)?;
            entries.retain(|entry| match entry.name {
                b"." => entry.number == folder.number,
                b".." => entry.number == parent,
                _ => entry.number != 0,
            });
            let told: Vec<_> = entries.iter().map(|entry| (entry.at, entry.name.len())).collect();
            for (at, name_len) in told {
                block[at..at + 7].fill(0);
                block[at + 8..at + 8 + name_len].fill(0);
            }
        }
        self.add("[rest of the folders]", &bytes)
    }

    fn finish(mut self) -> Result<Vec<Part>> {
        let Volume { source, budget, .. } = self.volume;
        let mut parts = self.parts;
        for (name, bytes) in self.rest {
            if bytes.iter().any(|byte| *byte != 0) {
                parts.push(Part::bytes(name, None, Arc::new(Bytes(bytes))));
            }
        }
        let end = source.size()?;
        parts.extend(self.known.part("[unused blocks]", source, budget, 0, end)?);
        Ok(parts)
    }
}

/// The block of an inode's attributes; 0: none.
fn attributes(inode: &Inode) -> Result<u64> {
    let r = inode.record();
    Ok(u64::from(r.le32(104)?) | u64::from(r.le16(118)?) << 32)
}
