//! The stored blocks of a file: compared as they are, unpacked only when somebody reads.

use super::superblock::LAYER;
use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::ranges::DescribedRanges;
use crate::source::{Shared, Source};
use crate::unpack::{Codec, block};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Unpacked blocks that are kept for the next reader: the tails of many files share one.
const KEPT: usize = 6;

/// Blocks from one known place in a file to the next.
const STRIDE: usize = 256;

/// Bytes as stored that a size word of a block means.
const LEN: u32 = 0x00ff_ffff;

/// A block's place in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    pub offset: u64,
    /// Bytes as stored.
    pub len: u32,
    /// `true` if it is compressed.
    pub packed: bool,
}

/// A part of a file, in the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedBlock {
    /// Bytes of the file.
    pub len: u32,
    /// Its place in the image; `None`: zeros that are not stored.
    pub stored: Option<Stored>,
    /// Place in the unpacked block.
    pub skip: u32,
    /// The rest of the block belongs to other files. Otherwise there is no rest.
    pub shared: bool,
}

/// Stored bytes of some blocks.
pub(super) fn total(sizes: &[u32]) -> u64 {
    sizes.iter().map(|size| u64::from(size & LEN)).sum()
}

/// The block that a size word means; `None`: a hole.
pub(super) fn stored(offset: u64, size: u32, block_size: u32) -> Result<Option<Stored>> {
    let len = size & LEN;
    // nothing is compressed to nothing, and no bit stands above the one for bytes as they are
    if len > block_size || size & !LEN & !0x0100_0000 != 0 || (len == 0 && size != 0) {
        return Err(Error::new(LAYER, offset, format!("a stored block of {len} bytes")));
    }
    let packed = size & 0x0100_0000 == 0;
    Ok((len > 0).then_some(Stored { offset, len, packed }))
}

/// A kept block. Each file system keeps its own.
type Kept = (Stored, Arc<Vec<u8>>);

/// Unpacks the blocks of one squashfs.
pub(super) struct Blocks {
    source: Shared,
    codec: Codec,
    block_size: u32,
    budget: Arc<Budget>,
    kept: Mutex<Vec<Kept>>,
    /// Unpacked lengths of shared blocks, by their offsets.
    lens: Mutex<HashMap<u64, u32>>,
}

impl Blocks {
    pub(super) fn new(
        source: Shared,
        codec: Codec,
        block_size: u32,
        budget: Arc<Budget>,
    ) -> Blocks {
        Blocks { source, codec, block_size, budget, kept: Mutex::default(), lens: Mutex::default() }
    }

    /// Unpacks a block that several files share, and remembers its length.
    fn shared(&self, stored: Stored) -> Result<Arc<Vec<u8>>> {
        let bytes = self.unpacked(stored)?;
        let mut lens = self.lens.lock().unwrap_or_else(PoisonError::into_inner);
        lens.insert(stored.offset, bytes.len() as u32);
        Ok(bytes)
    }

    fn unpacked(&self, stored: Stored) -> Result<Arc<Vec<u8>>> {
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(index) = kept.iter().position(|(other, _)| *other == stored) {
                let block = kept.remove(index);
                kept.push(block.clone());
                return Ok(block.1);
            }
        }
        self.budget.unpack(LAYER, stored.offset, u64::from(self.block_size))?;
        let bytes = self.source.exactly(LAYER, stored.offset, stored.len as usize)?;
        let bytes = if stored.packed {
            block::unpack(self.codec, &bytes, self.block_size as usize)
                .map_err(|why| Error::new(LAYER, stored.offset, format!("block: {why}")))?
        } else {
            bytes
        };
        let bytes = Arc::new(bytes);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((stored, bytes.clone()));
        Ok(bytes)
    }
}

/// The places of a file's bytes.
#[derive(Clone, Debug)]
pub(crate) struct FileBlocks {
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Offset of the first block.
    pub(crate) start: u64,
    /// Number of blocks; the list of their stored sizes follows the inode.
    pub(crate) count: u64,
    /// Index of the fragment, or `u32::MAX`, and the place in it.
    pub(crate) fragment: u32,
    pub(crate) offset: u32,
}

/// The content of a file in a squashfs.
#[derive(Clone)]
pub struct PackedFile {
    blocks: Arc<Blocks>,
    size: u64,
    start: u64,
    sizes: Arc<Vec<u32>>,
    /// Stored bytes before every [`STRIDE`]th block, so that any block is found quickly.
    before: Arc<Vec<u64>>,
    fragment: Option<(Stored, u32)>,
    /// Memory of the list of blocks.
    _held: Arc<Held>,
}

impl PackedFile {
    /// `sizes`: the stored sizes of the blocks.
    pub(super) fn new(
        blocks: Arc<Blocks>,
        file: &FileBlocks,
        sizes: Vec<u32>,
        fragment: Option<Stored>,
        held: Held,
    ) -> Result<PackedFile> {
        let block_size = blocks.block_size;
        if u64::from(file.offset) + file.size % u64::from(block_size) > u64::from(block_size)
            && fragment.is_some()
        {
            return Err(Error::new(LAYER, file.start, "a tail behind the end of its fragment"));
        }
        let mut sum = 0;
        let before = sizes.chunks(STRIDE).map(|sizes| {
            let before = sum;
            sum += total(sizes);
            before
        });
        Ok(PackedFile {
            size: file.size,
            start: file.start,
            before: Arc::new(before.collect()),
            sizes: Arc::new(sizes),
            fragment: fragment.map(|stored| (stored, file.offset)),
            _held: Arc::new(held),
            blocks,
        })
    }

    /// Compressor of the blocks.
    pub fn codec(&self) -> Codec {
        self.blocks.codec
    }

    /// Bytes of a whole block, unpacked.
    pub fn block_size(&self) -> u32 {
        self.blocks.block_size
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.size
    }

    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The image in which the blocks are stored.
    pub fn image(&self) -> &Shared {
        &self.blocks.source
    }

    /// The blocks of the file, in the order of its bytes.
    pub fn blocks(&self) -> impl Iterator<Item = Result<PackedBlock>> + '_ {
        let block_size = self.blocks.block_size;
        let mut offset = self.start;
        let mut left = self.size;
        let full = self.sizes.iter().map(move |size| {
            let len = left.min(u64::from(block_size)) as u32;
            left -= u64::from(len);
            let stored = stored(offset, *size, block_size)?;
            offset = offset.saturating_add(stored.map_or(0, |stored| u64::from(stored.len)));
            Ok(PackedBlock { len, stored, skip: 0, shared: false })
        });
        let tail = self.fragment.map(|(stored, skip)| {
            let len = (self.size % u64::from(block_size)) as u32;
            Ok(PackedBlock { len, stored: Some(stored), skip, shared: true })
        });
        full.chain(tail)
    }

    /// Unpacks one of the blocks.
    pub fn unpack(&self, block: &PackedBlock, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        self.part(block, 0, &mut |bytes| into.extend_from_slice(bytes))
    }

    /// Gives the bytes of a block from `from` on to `each`.
    fn part(&self, block: &PackedBlock, from: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let len = block.len as usize;
        let Some(stored) = block.stored else {
            // a hole takes no room in the image, but time to read
            self.blocks.budget.unpack(LAYER, self.start, (len - from) as u64)?;
            each(&vec![0; len - from]);
            return Ok(());
        };
        let whole = match block.shared {
            true => self.blocks.shared(stored)?,
            false => self.blocks.unpacked(stored)?,
        };
        let skip = block.skip as usize;
        // Linux refuses a block that unpacks to more than the file has there, and so do we
        match whole.get(skip + from..skip + len) {
            Some(bytes) if block.shared || whole.len() == len => each(bytes),
            _ => {
                let why =
                    format!("a block of {} bytes where {} are needed", whole.len(), skip + len);
                return Err(Error::new(LAYER, stored.offset, why));
            }
        }
        Ok(())
    }

    /// The block with an index.
    fn at(&self, index: usize) -> Result<PackedBlock> {
        let block_size = self.blocks.block_size;
        let Some(size) = self.sizes.get(index) else {
            return match self.fragment {
                Some((stored, skip)) => {
                    let len = (self.size % u64::from(block_size)) as u32;
                    Ok(PackedBlock { len, stored: Some(stored), skip, shared: true })
                }
                None => Err(Error::new(LAYER, self.start, "a file with too few blocks")),
            };
        };
        let known = index / STRIDE;
        let before = self.before[known] + total(&self.sizes[known * STRIDE..index]);
        let len = (self.size - index as u64 * u64::from(block_size)).min(u64::from(block_size));
        let stored = stored(self.start.saturating_add(before), *size, block_size)?;
        Ok(PackedBlock { len: len as u32, stored, skip: 0, shared: false })
    }
}

/// A stored block that holds the tails of several files.
pub struct SharedBlock {
    blocks: Arc<Blocks>,
    pub stored: Stored,
    /// The pieces of it that files have: place in the unpacked block and bytes.
    tails: DescribedRanges,
}

impl SharedBlock {
    pub(super) fn new(blocks: Arc<Blocks>, stored: Stored, tails: DescribedRanges) -> SharedBlock {
        SharedBlock { blocks, stored, tails }
    }

    /// The image in which the block is stored.
    pub fn image(&self) -> &Shared {
        &self.blocks.source
    }

    /// The bytes that no file has. The block is unpacked if its length is not known yet, or if there are
    /// some.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        let lens = self.blocks.lens.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lens.get(&self.stored.offset).copied();
        drop(lens);
        if let Some(len) = known
            && self.tails.gaps(0, len.into()).is_empty()
        {
            return Ok(Vec::new());
        }
        let bytes = self.blocks.shared(self.stored)?;
        let gaps = self.tails.gaps(0, bytes.len() as u64).into_iter();
        Ok(gaps.flat_map(|(at, len)| &bytes[at as usize..(at + len) as usize]).copied().collect())
    }
}

impl Source for PackedFile {
    fn size(&self) -> Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        let block_size = u64::from(self.blocks.block_size);
        let mut done = 0;
        while done < wanted {
            let at = offset + done as u64;
            let block = self.at(usize::try_from(at / block_size).unwrap_or(usize::MAX))?;
            let from = (at % block_size) as usize;
            if from >= block.len as usize {
                return Err(Error::new(LAYER, self.start, "a file with too few bytes"));
            }
            let mut n = 0;
            self.part(&block, from, &mut |bytes| {
                n = bytes.len().min(wanted - done);
                into[done..done + n].copy_from_slice(&bytes[..n]);
            })?;
            done += n;
        }
        Ok(done)
    }
}
