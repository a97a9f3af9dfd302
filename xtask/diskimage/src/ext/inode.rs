//! Inodes.

use super::superblock::LAYER;
use super::volume::Volume;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::tree::{Kind, Metadata};
use std::ops::Range;
use xtask_core::calendar;

/// The content is in the inode itself.
const INLINE_DATA: u32 = 0x1000_0000;

/// The content is encrypted.
const ENCRYPTED: u32 = 0x800;

/// The blocks are in a tree of extents.
pub(super) const EXTENTS: u32 = 0x8_0000;

/// Bytes of the block map, which also holds short targets of links.
pub(super) const MAP: usize = 60;

pub(super) struct Inode {
    pub(super) number: u32,
    /// All bytes of the inode.
    pub(super) bytes: Vec<u8>,
    /// Offset in the image.
    pub(super) offset: u64,
    pub(super) mode: u16,
    pub(super) size: u64,
    pub(super) flags: u32,
}

impl Inode {
    pub(super) fn read(volume: &Volume, number: u32) -> Result<Inode> {
        let superblock = &volume.superblock;
        if number == 0 || number > superblock.inodes {
            let why = format!("inode {number} of {}", superblock.inodes);
            return Err(Error::new(LAYER, 1024, why));
        }
        let index = number - 1;
        let table = superblock.inode_table(&*volume.source, index / superblock.inodes_per_group)?;
        let within = u64::from(index % superblock.inodes_per_group) * superblock.inode_len;
        let offset = table.saturating_add(within);
        volume.budget.unpack(LAYER, offset, superblock.inode_len)?;
        let bytes = volume.source.exactly(LAYER, offset, superblock.inode_len as usize)?;
        let r = Record::new(LAYER, offset, &bytes);
        let (mode, flags) = (r.le16(0)?, r.le32(32)?);
        let size = u64::from(r.le32(4)?) | u64::from(r.le32(108)?) << 32;
        Ok(Inode { number, mode, size, flags, offset, bytes })
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record::new(LAYER, self.offset, &self.bytes)
    }

    pub(super) fn error(&self, why: &str) -> Error {
        Error::new(LAYER, self.offset, format!("inode {}: {why}", self.number))
    }

    pub(super) fn kind(&self) -> Result<Kind> {
        Kind::of_mode(self.mode.into()).ok_or_else(|| self.error("a mode of no known kind"))
    }

    /// An error if the content is stored in a way that is not read.
    pub(super) fn readable(&self) -> Result<()> {
        match self.flags {
            flags if flags & INLINE_DATA != 0 => {
                Err(self.error("a content in the inode, not read"))
            }
            flags if flags & ENCRYPTED != 0 => Err(self.error("an encrypted content, not read")),
            _ => Ok(()),
        }
    }

    /// The metadata without xattrs and target.
    pub(super) fn metadata(&self) -> Result<Metadata> {
        let r = self.record();
        let kind = self.kind()?;
        let mut about = Metadata::new(kind);
        about.mode = Some(u32::from(self.mode) & 0o7777);
        about.uid = Some(u32::from(r.le16(2)?) | u32::from(r.le16(120)?) << 16);
        about.gid = Some(u32::from(r.le16(24)?) | u32::from(r.le16(122)?) << 16);
        about.mtime = Some(self.time(16, 136)?);
        about.links = Some(r.le16(26)?.into());
        about.inode = Some(self.number.into());
        if kind == Kind::File {
            about.size = self.size;
        }
        for (name, at, extra) in [("access time", 8, 140), ("change time", 12, 132)] {
            about.more.push((name, calendar::utc(self.time(at, extra)?)));
        }
        if self.has(148) {
            about.more.push(("creation time", calendar::utc(self.time(144, 148)?)));
        }
        about.more.push(("flags", format!("{:x}", self.flags)));
        about.more.push(("generation", format!("{:08x}", r.le32(100)?)));
        if matches!(kind, Kind::Char | Kind::Block) {
            // 8 bits each, or as Linux encodes larger numbers
            let (old, new) = (r.le32(40)?, r.le32(44)?);
            about.device = Some(match old {
                0 => ((new >> 8) & 0xfff, (new & 0xff) | ((new >> 12) & 0xfff00)),
                _ => (old >> 8 & 0xff, old & 0xff),
            });
        }
        Ok(about)
    }

    /// The times that the inode has: offset of the field, and seconds since 1970.
    pub(super) fn times(&self) -> Vec<(usize, i64)> {
        let fields = [(8, 140), (12, 132), (16, 136), (144, 148)];
        let fields = fields.into_iter().filter(|(at, _)| *at < 128 || self.has(148));
        fields.filter_map(|(at, extra)| Some((at, self.time(at, extra).ok()?))).collect()
    }

    /// The ranges that [`Self::metadata`] tells in full, whatever the kind.
    pub(super) fn told(&self) -> Vec<Range<usize>> {
        let mut told = vec![0..4, 24..26, 32..36, 100..104, 120..124];
        told.extend(self.times().into_iter().map(|(at, _)| at..at + 4));
        if self.record().le16(0).is_ok_and(|mode| mode & 0o170_000 != 0o040_000) {
            told.push(26..28);
        }
        told
    }

    /// `true` if the inode has the field of four bytes at `at` behind the first 128 bytes.
    fn has(&self, at: usize) -> bool {
        let extra = self.record().le16(128).unwrap_or(0);
        at + 4 <= 128 + usize::from(extra)
    }

    /// Seconds since 1970; two bits of the extra field extend the range beyond 2038.
    fn time(&self, at: usize, extra: usize) -> Result<i64> {
        let seconds = i64::from(self.record().le32(at)? as i32);
        let epoch = if self.has(extra) { self.record().le32(extra)? & 3 } else { 0 };
        Ok(seconds + (i64::from(epoch) << 32))
    }
}
