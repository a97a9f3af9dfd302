//! Inodes of all fourteen types (squashfs_fs.h, struct squashfs_*_inode).

use crate::error::Result;
use crate::squashfs::metadata::Cursor;
use crate::squashfs::packed::FileBlocks;
use crate::tree::Kind;

/// No fragment, no xattrs.
pub(crate) const NONE: u32 = u32::MAX;

/// Blocks of one file: 16 GiB of the smallest blocks, 4 TiB of the largest.
pub(crate) const BLOCKS: u64 = 4 << 20;

/// Stored sizes that are read at a time.
const STEP: usize = 2048;

/// Bytes of the target of a link; Linux allows 4095.
const TARGET: usize = 65_536;

#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(crate) kind: Kind,
    /// Type as the names in folders have it: that of the basic inode.
    pub(crate) code: u16,
    pub(crate) mode: u16,
    /// Indexes of the owner table.
    pub(crate) uid: u16,
    pub(crate) gid: u16,
    pub(crate) mtime: u32,
    /// Its number, as it claims.
    pub(crate) number: u32,
    pub(crate) links: u32,
    pub(crate) xattrs: u32,
    /// Bytes of its holes, as it claims; they only say how much room the file takes.
    pub(crate) holes: u64,
    pub(crate) what: InodeData,
}

#[derive(Clone, Debug)]
pub(crate) enum InodeData {
    /// The place of the listing, and its bytes.
    Folder {
        start: u32,
        offset: u16,
        len: u32,
        /// The number of the folder's parent, as it claims.
        parent: u32,
        /// Entries of the index of the listing, which follows the inode.
        index: u16,
    },
    File(FileBlocks),
    Symlink(Vec<u8>),
    Device(u32),
    Nothing,
}

impl Inode {
    pub(crate) fn read(cursor: &mut Cursor<'_>, block_size: u32) -> Result<Inode> {
        let kind = cursor.u16()?;
        let mode = cursor.u16()?;
        let (uid, gid) = (cursor.u16()?, cursor.u16()?);
        let (mtime, number) = (cursor.u32()?, cursor.u32()?);
        let (extended, code) = (kind > 7, if kind > 7 { kind - 7 } else { kind });
        let (mut links, mut xattrs, mut holes) = (1, NONE, 0);
        let (kind, what) = match kind {
            1 => {
                let start = cursor.u32()?;
                links = cursor.u32()?;
                let len = u32::from(cursor.u16()?);
                let offset = cursor.u16()?;
                let parent = cursor.u32()?;
                (Kind::Folder, InodeData::Folder { start, offset, len, parent, index: 0 })
            }
            8 => {
                links = cursor.u32()?;
                let len = cursor.u32()?;
                let start = cursor.u32()?;
                let parent = cursor.u32()?;
                let index = cursor.u16()?;
                let offset = cursor.u16()?;
                xattrs = cursor.u32()?;
                (Kind::Folder, InodeData::Folder { start, offset, len, parent, index })
            }
            2 => {
                let start = u64::from(cursor.u32()?);
                let (fragment, offset) = (cursor.u32()?, cursor.u32()?);
                let size = u64::from(cursor.u32()?);
                let count = blocks(cursor, size, fragment, block_size)?;
                (Kind::File, InodeData::File(FileBlocks { size, start, count, fragment, offset }))
            }
            9 => {
                let start = cursor.u64()?;
                let size = cursor.u64()?;
                holes = cursor.u64()?;
                links = cursor.u32()?;
                let (fragment, offset) = (cursor.u32()?, cursor.u32()?);
                xattrs = cursor.u32()?;
                let count = blocks(cursor, size, fragment, block_size)?;
                (Kind::File, InodeData::File(FileBlocks { size, start, count, fragment, offset }))
            }
            3 | 10 => {
                links = cursor.u32()?;
                let len = cursor.u32()? as usize;
                let target = cursor.bytes(len, TARGET)?;
                if extended {
                    xattrs = cursor.u32()?;
                }
                (Kind::Symlink, InodeData::Symlink(target))
            }
            4 | 5 | 11 | 12 => {
                links = cursor.u32()?;
                let device = cursor.u32()?;
                if extended {
                    xattrs = cursor.u32()?;
                }
                let kind = if kind == 4 || kind == 11 { Kind::Block } else { Kind::Char };
                (kind, InodeData::Device(device))
            }
            6 | 7 | 13 | 14 => {
                links = cursor.u32()?;
                if extended {
                    xattrs = cursor.u32()?;
                }
                let kind = if kind == 6 || kind == 13 { Kind::Fifo } else { Kind::Socket };
                (kind, InodeData::Nothing)
            }
            other => return Err(cursor.error(format!("an inode of type {other}"))),
        };
        Ok(Inode { kind, code, mode, uid, gid, mtime, number, links, xattrs, holes, what })
    }
}

impl InodeData {
    /// Numbers that mean nothing here and should be zero: the place of what is empty, and what its length lacks.
    pub(super) fn unused(&self) -> [u64; 3] {
        match self {
            InodeData::File(file) => {
                let start = if file.count == 0 { file.start } else { 0 };
                let offset = if file.fragment == NONE { file.offset } else { 0 };
                [start, offset.into(), 0]
            }
            // `.` and `..` count three bytes and are not stored; the place of an empty folder is held against the table
            InodeData::Folder { len: len @ ..=3, .. } => [(3 - len).into(), 0, 0],
            _ => [0; 3],
        }
    }
}

/// Number of whole blocks; the rest of a file with a fragment is in the fragment.
fn blocks(cursor: &Cursor<'_>, size: u64, fragment: u32, block_size: u32) -> Result<u64> {
    let block_size = u64::from(block_size);
    let count = if fragment == NONE { size.div_ceil(block_size) } else { size / block_size };
    if count > BLOCKS {
        return Err(cursor.error(format!("a file of {size} bytes")));
    }
    Ok(count)
}

impl FileBlocks {
    /// The stored sizes of the blocks, which `cursor` must be at: bit 24 means that the block is not
    /// compressed, 0 is a hole.
    pub(crate) fn sizes(&self, cursor: &mut Cursor<'_>) -> Result<Vec<u32>> {
        let mut sizes = Vec::new();
        let mut left = self.count as usize;
        // in steps, so that memory follows what the image holds, not what it claims
        let mut bytes = vec![0; left.min(STEP) * 4];
        while left > 0 {
            let step = left.min(STEP);
            cursor.fill(&mut bytes[..step * 4])?;
            let words = bytes[..step * 4].chunks_exact(4);
            sizes.extend(words.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            left -= step;
        }
        Ok(sizes)
    }
}
