//! Metadata blocks: inodes, directories and tables come in blocks of 8 KiB, each behind a header
//! of two bytes.

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::source::Shared;
use crate::squashfs::superblock::LAYER;
use crate::unpack::{Codec, block};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Unpacked bytes of a block.
pub(crate) const BLOCK: usize = 8192;

/// Blocks that are kept unpacked, 8 MiB at most. The inodes of neighbours in a folder can be as far
/// apart as the entries of the folders between them are many.
const KEPT: usize = 1024;

/// An unpacked block and the offset of the next one.
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    pub(crate) next: u64,
}

/// Unpacked blocks by offset, with the turn in which each was used last.
#[derive(Default)]
struct Kept {
    turn: u64,
    blocks: HashMap<u64, (u64, Arc<Block>)>,
}

pub(crate) struct MetadataReader {
    source: Shared,
    codec: Codec,
    budget: Arc<Budget>,
    /// Nothing is read behind it.
    end: u64,
    kept: Mutex<Kept>,
}

impl Kept {
    fn get(&mut self, offset: u64) -> Option<Arc<Block>> {
        self.turn += 1;
        let (used, block) = self.blocks.get_mut(&offset)?;
        *used = self.turn;
        Some(block.clone())
    }

    fn insert(&mut self, offset: u64, block: Arc<Block>) {
        if self.blocks.len() >= KEPT
            && let Some(oldest) = self.blocks.iter().min_by_key(|(_, (used, _))| *used)
        {
            let oldest = *oldest.0;
            self.blocks.remove(&oldest);
        }
        self.blocks.insert(offset, (self.turn, block));
    }
}

impl MetadataReader {
    pub(crate) fn new(
        source: Shared,
        codec: Codec,
        end: u64,
        budget: Arc<Budget>,
    ) -> MetadataReader {
        MetadataReader { source, codec, budget, end, kept: Mutex::default() }
    }

    /// The block whose header is at `offset`.
    pub(crate) fn block(&self, offset: u64) -> Result<Arc<Block>> {
        if let Some(block) = self.kept().get(offset) {
            return Ok(block);
        }
        let block = Arc::new(self.unpack(offset)?);
        self.kept().insert(offset, block.clone());
        Ok(block)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unpack(&self, offset: u64) -> Result<Block> {
        if offset >= self.end {
            return Err(Error::new(LAYER, offset, "a metadata block lies behind the end"));
        }
        let header = self.source.exactly(LAYER, offset, 2)?;
        let header = u16::from_le_bytes([header[0], header[1]]);
        let len = usize::from(header & 0x7fff);
        if len == 0 || len > BLOCK {
            return Err(Error::new(LAYER, offset, format!("a metadata block of {len} bytes")));
        }
        let stored = self.source.exactly(LAYER, offset + 2, len)?;
        self.budget.unpack(LAYER, offset, BLOCK as u64)?;
        let bytes = if header & 0x8000 != 0 {
            stored
        } else {
            block::unpack(self.codec, &stored, BLOCK)
                .map_err(|why| Error::new(LAYER, offset, format!("metadata block: {why}")))?
        };
        if bytes.is_empty() {
            return Err(Error::new(LAYER, offset, "an empty metadata block"));
        }
        Ok(Block { bytes, next: offset + 2 + len as u64 })
    }

    /// A cursor at a place in an unpacked block.
    pub(crate) fn cursor(&self, offset: u64, within: usize) -> Cursor<'_> {
        Cursor { metadata: self, offset, within, block: None }
    }
}

/// A place in the unpacked metadata.
pub(crate) struct Cursor<'a> {
    metadata: &'a MetadataReader,
    /// Offset of the block.
    pub(crate) offset: u64,
    /// Place in the unpacked block.
    pub(crate) within: usize,
    /// The block at `offset`, once it was read.
    block: Option<Arc<Block>>,
}

impl Cursor<'_> {
    pub(crate) fn error(&self, why: impl Into<String>) -> Error {
        Error::new(LAYER, self.offset, why)
    }

    /// Fills `into`, over the ends of blocks.
    pub(crate) fn fill(&mut self, into: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < into.len() {
            let block = match &mut self.block {
                Some(block) => block,
                none => none.insert(self.metadata.block(self.offset)?),
            };
            let from = block.bytes.get(self.within..).unwrap_or_default();
            if from.is_empty() {
                if self.within > block.bytes.len() {
                    return Err(self.error("a place behind the end of its metadata block"));
                }
                (self.offset, self.within) = (block.next, 0);
                self.block = None;
                continue;
            }
            let n = from.len().min(into.len() - done);
            into[done..done + n].copy_from_slice(&from[..n]);
            // the same metadata can be named any number of times
            self.metadata.budget.unpack(LAYER, self.offset, n as u64)?;
            self.within += n;
            done += n;
        }
        Ok(())
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    /// The next `len` bytes; an error if they are more than `most`.
    pub(crate) fn bytes(&mut self, len: usize, most: usize) -> Result<Vec<u8>> {
        if len > most {
            return Err(self.error(format!("{len} bytes where {most} are the most")));
        }
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}
