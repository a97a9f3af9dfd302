//! The bytes of a squashfs that the walk through its folders reaches. All others are gaps: blocks of no file,
//! inodes and names in no folder, entries of tables that nothing uses.

use super::metadata::{BLOCK, Cursor, MetadataReader};
use super::superblock::LAYER;
use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::ranges::DescribedRanges;
use crate::record::Record;
use crate::source::Shared;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of memory for each block of a table, and for each range.
const EACH: u64 = 64;

/// Bytes that are kept of what nothing reaches.
const REST: usize = 1 << 20;

/// A place in unpacked metadata: the block's offset, and the place in it.
pub(super) type Position = (u64, usize);

/// A table of metadata blocks one after the other, and the ranges of its unpacked bytes that were reached.
pub(super) struct MetadataTable {
    /// Offset of the unpacked bytes of each block, by the block's own offset.
    starts: HashMap<u64, u64>,
    blocks: Vec<Vec<u8>>,
    ranges: Vec<(u64, u64)>,
    held: Held,
}

impl MetadataTable {
    /// The blocks from `start` up to `end`, whose stored bytes are described by being read.
    pub(super) fn read(
        metadata: &MetadataReader,
        start: u64,
        end: u64,
        budget: &Arc<Budget>,
        stored: &mut DescribedRanges,
    ) -> Result<MetadataTable> {
        let mut table = MetadataTable {
            starts: HashMap::new(),
            blocks: Vec::new(),
            ranges: Vec::new(),
            held: budget.hold(LAYER, start, 0)?,
        };
        let (mut at, mut unpacked) = (start, 0);
        while at < end {
            let block = metadata.block(at)?;
            table.held.grow(LAYER, at, EACH + block.bytes.len() as u64)?;
            table.starts.insert(at, unpacked);
            unpacked += block.bytes.len() as u64;
            table.blocks.push(block.bytes.clone());
            stored.add(at, block.next - at)?;
            at = block.next;
        }
        Ok(table)
    }

    /// Offset of a position in the unpacked bytes.
    pub(super) fn offset(&self, (block, within): Position) -> Option<u64> {
        Some(self.starts.get(&block)? + within as u64)
    }

    /// Adds the bytes between two positions.
    pub(super) fn add(&mut self, from: Position, to: Position) -> Result<()> {
        // a block that does not begin where the one before it ends is in no table: its bytes are a gap
        if let Some((from, to)) = self.offset(from).zip(self.offset(to)) {
            self.held.grow(LAYER, from, EACH)?;
            self.ranges.push((from, to.saturating_sub(from)));
        }
        Ok(())
    }

    /// The bytes that were not reached, if any is not zero.
    pub(super) fn rest(mut self) -> Result<Vec<u8>> {
        let mut reached = DescribedRanges::new(LAYER);
        for (start, len) in std::mem::take(&mut self.ranges) {
            reached.add(start, len)?;
        }
        let bytes = self.blocks.concat();
        let gaps = reached.gaps(0, bytes.len() as u64).into_iter();
        let mut rest = Vec::new();
        for (start, len) in gaps {
            rest.extend_from_slice(&bytes[start as usize..(start + len) as usize]);
        }
        Ok(if rest.iter().all(|byte| *byte == 0) { Vec::new() } else { rest })
    }
}

/// A table that an array of pointers to its blocks describes.
pub(super) struct Indexed {
    /// Offset of the pointers.
    pub(super) pointers: u64,
    pub(super) entries: u64,
    /// Bytes of an entry.
    pub(super) len: u64,
}

impl Indexed {
    /// All entries, and what the last block holds behind them.
    pub(super) fn read(
        &self,
        source: &Shared,
        metadata: &MetadataReader,
        stored: &mut DescribedRanges,
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let wanted = self.entries * self.len;
        let count = wanted.div_ceil(BLOCK as u64);
        let mut bytes = Vec::new();
        for index in 0..count {
            let pointer = self.pointers.saturating_add(index * 8);
            let place = source.exactly(LAYER, pointer, 8)?;
            let place = Record::new(LAYER, pointer, &place).le64(0)?;
            let block = metadata.block(place)?;
            stored.add(place, block.next - place)?;
            bytes.extend_from_slice(&block.bytes);
            if index + 1 < count && bytes.len() as u64 != (index + 1) * BLOCK as u64 {
                return Err(Error::new(LAYER, place, "a block of a table that is not full"));
            }
        }
        stored.add(self.pointers, count * 8)?;
        let rest = bytes.split_off(bytes.len().min(wanted as usize));
        if (bytes.len() as u64) < wanted {
            return Err(Error::new(LAYER, self.pointers, "a table with too few entries"));
        }
        Ok((bytes, rest))
    }
}

/// Parts that nothing reaches, and parts that contradict each other.
#[derive(Default)]
pub(super) struct Rest {
    bytes: Vec<u8>,
}

impl Rest {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let room = REST.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            // the rest of it counts as well
            let hash = Sha256::digest([&self.bytes[..], bytes].concat());
            self.bytes.splice(self.bytes.len() - 32.., hash);
        }
    }

    /// Notes numbers that disagree with each other.
    pub(super) fn misfit(&mut self, what: &str, numbers: [u64; 2]) {
        self.add(format!("{what}: {} and {}\n", numbers[0], numbers[1]).as_bytes());
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The position of a cursor.
pub(super) fn position(cursor: &Cursor<'_>) -> Position {
    (cursor.offset, cursor.within)
}
