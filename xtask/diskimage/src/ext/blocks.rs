//! The places of a file's blocks: trees of extents (ext4), or lists of blocks (ext2, ext3).

use super::inode::{EXTENTS, Inode, MAP};
use super::superblock::LAYER;
use super::volume::Volume;
use crate::budget::Held;
use crate::error::Result;
use crate::record::Record;

/// Levels of a tree of extents; the format allows no more.
const DEEPEST: u16 = 5;

/// A piece of a file: offset in the image (`None`: a hole) and bytes.
pub(super) type Piece = (Option<u64>, u64);

/// The places of a file's blocks.
pub(super) struct Map {
    pub(super) pieces: Vec<Piece>,
    /// First block and number of blocks, also of those that were reserved but not written.
    pub(super) blocks: Vec<(u64, u64)>,
    /// The blocks that hold the map itself.
    pub(super) nodes: Vec<u64>,
    /// The memory that this takes.
    pub(super) held: Held,
}

/// Collects pieces in the order of the file, with the holes between them.
struct Pieces<'a> {
    volume: &'a Volume,
    pieces: Vec<Piece>,
    blocks: Vec<(u64, u64)>,
    nodes: Vec<u64>,
    /// Bytes of the file up to now.
    at: u64,
    size: u64,
    held: Held,
}

impl Pieces<'_> {
    /// Adds `len` bytes of the file from `from` on.
    fn add(&mut self, from: u64, place: Option<u64>, len: u64) -> Result<()> {
        let wanted = len.min(self.size.saturating_sub(from));
        if wanted == 0 {
            return Ok(());
        }
        let gap = from - self.at;
        if gap > 0 {
            self.push(None, gap)?;
        }
        self.push(place, wanted)?;
        self.at = from + wanted;
        Ok(())
    }

    fn push(&mut self, place: Option<u64>, len: u64) -> Result<()> {
        if let (Some((Some(start), last)), Some(place)) = (self.pieces.last_mut(), place)
            && *start + *last == place
        {
            *last += len;
            return Ok(());
        }
        self.held.grow(LAYER, place.unwrap_or(0), 48)?;
        self.pieces.push((place, len));
        Ok(())
    }

    /// Remembers blocks that the file has.
    fn has(&mut self, first: u64, count: u64) -> Result<()> {
        if let Some((start, last)) = self.blocks.last_mut()
            && *start + *last == first
        {
            *last += count;
            return Ok(());
        }
        self.held.grow(LAYER, first, 16)?;
        self.blocks.push((first, count));
        Ok(())
    }

    /// Reads a block of the map.
    fn node(&mut self, block: u64) -> Result<(u64, Vec<u8>)> {
        self.held.grow(LAYER, block, 8)?;
        self.nodes.push(block);
        self.volume.block(block)
    }

    /// A node of a tree of extents.
    fn extents(&mut self, node: &Record<'_>, most: u16) -> Result<()> {
        let (magic, count, depth) = (node.le16(0)?, node.le16(2)?, node.le16(6)?);
        if magic != 0xf30a || depth > most {
            return Err(node.error(0, "no node of a tree of extents"));
        }
        for index in 0..usize::from(count) {
            let at = 12 + index * 12;
            let first = u64::from(node.le32(at)?).saturating_mul(self.volume.superblock.block);
            if first < self.at {
                return Err(node.error(at, "extents out of order"));
            }
            if depth > 0 {
                let block = u64::from(node.le32(at + 4)?) | u64::from(node.le16(at + 8)?) << 32;
                let (offset, bytes) = self.node(block)?;
                self.extents(&Record::new(LAYER, offset, &bytes), depth - 1)?;
                continue;
            }
            let block = u64::from(node.le32(at + 8)?) | u64::from(node.le16(at + 6)?) << 32;
            let place = block.saturating_mul(self.volume.superblock.block);
            // extents longer than this were reserved, but not written: they read as zeros
            let (len, written) = match node.le16(at + 4)? {
                len @ ..=0x8000 => (len, true),
                len => (len - 0x8000, false),
            };
            self.has(block, len.into())?;
            let len = u64::from(len) * self.volume.superblock.block;
            self.add(first, written.then_some(place), len)?;
        }
        Ok(())
    }

    /// A list of blocks, each of which covers `covers` bytes of the file from `from` on.
    fn list(&mut self, r: &Record<'_>, count: usize, mut from: u64, covers: u64) -> Result<()> {
        let block_len = self.volume.superblock.block;
        for index in 0..count {
            if from >= self.size {
                return Ok(());
            }
            let block = u64::from(r.le32(index * 4)?);
            if block > 0 && covers == block_len {
                self.has(block, 1)?;
                self.add(from, Some(block.saturating_mul(block_len)), block_len)?;
            } else if block > 0 {
                let (offset, bytes) = self.node(block)?;
                let per_block = (block_len / 4) as usize;
                let inner = Record::new(LAYER, offset, &bytes);
                self.list(&inner, per_block, from, covers / per_block as u64)?;
            }
            from = from.saturating_add(covers);
        }
        Ok(())
    }
}

/// The places of a file's blocks, and the memory that they take.
pub(super) fn map(volume: &Volume, inode: &Inode) -> Result<Map> {
    inode.readable()?;
    let held = volume.budget.hold(LAYER, inode.offset, 0)?;
    let mut pieces = Pieces {
        volume,
        pieces: Vec::new(),
        blocks: Vec::new(),
        nodes: Vec::new(),
        at: 0,
        size: inode.size,
        held,
    };
    let record = inode.record();
    let map = Record::new(LAYER, inode.offset + 40, record.slice(40, MAP)?);
    if inode.flags & EXTENTS != 0 {
        pieces.extents(&map, DEEPEST)?;
    } else {
        let (block, per_block) = (volume.superblock.block, volume.superblock.block / 4);
        let mut from = 0;
        let mut covers = block;
        for (first, count) in [(0, 12), (12, 1), (13, 1), (14, 1)] {
            if first > 0 {
                covers = covers.saturating_mul(per_block);
            }
            let list = Record::new(LAYER, map.offset, map.slice(first * 4, count * 4)?);
            pieces.list(&list, count, from, covers)?;
            from = from.saturating_add(covers.saturating_mul(count as u64));
        }
    }
    let end = pieces.size - pieces.at;
    if end > 0 {
        pieces.push(None, end)?;
    }
    let Pieces { pieces, blocks, nodes, held, .. } = pieces;
    Ok(Map { pieces, blocks, nodes, held })
}
