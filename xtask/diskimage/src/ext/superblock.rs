//! The superblock and the group descriptors.

use crate::crc32c::crc32c;
use crate::error::Result;
use crate::field::{Field, FieldKind};
use crate::record::{Record, hex, printable};
use crate::source::Source;
use xtask_core::calendar;

pub(super) const LAYER: &str = "ext4";

/// Offset of the superblock.
pub(super) const START: u64 = 1024;

/// Feature bits: an orphan file; checksums, and a seed of theirs that is not the UUID's.
const ORPHAN_FILE: u32 = 0x1000;
const CHECKSUMS: u32 = 0x400;
const SEED: u32 = 0x2000;

/// Feature bits: copies of the superblock only in some groups, or in two.
const SPARSE_SUPER: u32 = 0x1;
const SPARSE_SUPER_2: u32 = 0x200;

/// Incompatible features that change nothing here: file types in directories, extents, 64 bits,
/// flexible groups, checksum seed, large directories, per-inode encryption, case folding.
const READ: u32 = 0x2 | 0x40 | 0x80 | 0x200 | 0x2000 | 0x4000 | 0x8000 | 0x1_0000 | 0x2_0000;

/// Features that are not read, by bit.
const NOT_READ: [(u32, &str); 5] = [
    (0x4, "a journal that was not replayed"),
    (0x8, "a journal device"),
    (0x10, "meta block groups"),
    (0x100, "multiple mount protection"),
    (0x400, "attributes in inodes"),
];

/// The fields of the superblock.
pub(super) struct Superblock {
    /// Bytes of a block.
    pub(super) block: u64,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    /// Bytes of an inode.
    pub(super) inode_len: u64,
    /// Offset of the group descriptors, and the bytes of one.
    pub(super) descriptors: u64,
    pub(super) group_len: u64,
    fields: Vec<Field>,
    /// All bytes of the superblock.
    bytes: Vec<u8>,
}

/// `true` if `source` holds the magic of ext2, ext3 and ext4.
pub(crate) fn is_ext(source: &dyn Source) -> Result<bool> {
    let bytes = source.up_to(START, 92)?;
    // two bytes are little: block size and revision must be sensible too
    Ok(bytes.len() == 92
        && bytes[56..58] == [0x53, 0xef]
        && bytes[24] <= 6
        && bytes[25..28] == [0; 3]
        && bytes[76] <= 1)
}

impl Superblock {
    pub(super) fn read(source: &dyn Source) -> Result<Superblock> {
        let bytes = source.exactly(LAYER, START, 1024)?;
        let r = Record::new(LAYER, START, &bytes);
        if r.le16(56)? != 0xef53 || r.le32(24)? > 6 {
            return Err(r.error(56, "no superblock"));
        }
        let incompatible = r.le32(96)?;
        if let Some((_, name)) = NOT_READ.iter().find(|(bit, _)| incompatible & bit != 0) {
            return Err(r.error(96, format!("{name}, not read")));
        }
        if incompatible & !READ != 0 {
            return Err(
                r.error(96, format!("unknown features {:x}, not read", incompatible & !READ))
            );
        }
        let block = 1024 << r.le32(24)?;
        let revision = r.le32(76)?;
        let inode_len = if revision == 0 { 128 } else { u64::from(r.le16(88)?) };
        let inodes_per_group = r.le32(40)?;
        if inodes_per_group == 0 || !(128..=4096).contains(&inode_len) {
            return Err(r.error(40, "groups without inodes"));
        }
        let wide = incompatible & 0x80 != 0;
        let group_len = if wide { u64::from(r.le16(254)?).clamp(64, 1024) } else { 32 };
        Ok(Superblock {
            block,
            inodes: r.le32(0)?,
            inodes_per_group,
            inode_len,
            descriptors: (u64::from(r.le32(20)?) + 1) * block,
            group_len,
            fields: fields(&r)?,
            bytes,
        })
    }

    /// Numbers of the superblock.
    pub(super) fn le16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }
    pub(super) fn le32(&self, at: usize) -> u32 {
        u32::from(self.le16(at)) | u32::from(self.le16(at + 2)) << 16
    }

    /// Number of blocks.
    pub(super) fn blocks(&self) -> u64 {
        let high = if self.group_len >= 64 { self.le32(0x150) } else { 0 };
        u64::from(self.le32(4)) | u64::from(high) << 32
    }

    pub(super) fn first_block(&self) -> u64 {
        self.le32(20).into()
    }

    pub(super) fn blocks_per_group(&self) -> u64 {
        u64::from(self.le32(32)).max(1)
    }

    /// Number of groups.
    pub(super) fn groups(&self) -> u64 {
        self.blocks().saturating_sub(self.first_block()).div_ceil(self.blocks_per_group())
    }

    pub(super) fn uuid(&self) -> &[u8] {
        &self.bytes[104..120]
    }

    /// Number of the first inode that no structure of the file system has.
    pub(super) fn first_inode(&self) -> u32 {
        if self.le32(76) == 0 { 11 } else { self.le32(84).clamp(11, 64) }
    }

    /// Inode of the list of deleted files that are still open.
    pub(super) fn orphan_file(&self) -> Option<u32> {
        (self.le32(92) & ORPHAN_FILE != 0).then(|| self.le32(0x280))
    }

    pub(super) fn has_checksums(&self) -> bool {
        // 1: CRC-32C, the only kind
        self.le32(100) & CHECKSUMS != 0 && self.bytes[0x175] == 1
    }

    /// The sum that most others begin with.
    pub(super) fn checksum_seed(&self) -> u32 {
        if self.le32(96) & SEED != 0 { self.le32(0x270) } else { crc32c(!0, self.uuid()) }
    }

    /// Returns true if a group begins with a copy of the superblock and of the descriptors.
    pub(super) fn has_copy(&self, group: u64) -> bool {
        let is_power = |of: u64| {
            let mut power = of;
            while power < group {
                power = power.saturating_mul(of);
            }
            power == group
        };
        if self.le32(92) & SPARSE_SUPER_2 != 0 {
            let groups = [self.le32(0x24c), self.le32(0x250)];
            return group == 0 || groups.iter().any(|copy| u64::from(*copy) == group);
        }
        let sparse = self.le32(100) & SPARSE_SUPER != 0;
        !sparse || group <= 1 || [3, 5, 7].into_iter().any(is_power)
    }

    /// Clears in a copy what the fields of this superblock tell, where the copy says the same.
    pub(super) fn without_told(&self, copy: &mut [u8]) {
        let end = |at: usize, len: usize| {
            let text = &self.bytes[at..at + len];
            at..at + text.iter().position(|byte| *byte == 0).unwrap_or(len)
        };
        // in the order of `fields`
        let mut told = vec![
            104..120,
            236..252,
            end(120, 16),
            end(136, 64),
            264..268,
            44..48,
            48..52,
            64..68,
            0x178..0x180,
            24..28,
            4..8,
            0..4,
            92..104,
        ];
        if self.le32(96) & SEED != 0 {
            told.push(0x270..0x274);
        }
        let told =
            told.into_iter().filter(|range| copy[range.clone()] == self.bytes[range.clone()]);
        for range in told.collect::<Vec<_>>() {
            copy[range].fill(0);
        }
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }

    /// Offset of the inode table of a group.
    pub(super) fn inode_table(&self, source: &dyn Source, group: u32) -> Result<u64> {
        let at = self.descriptors.saturating_add(u64::from(group) * self.group_len);
        let bytes = source.exactly(LAYER, at, self.group_len as usize)?;
        let r = Record::new(LAYER, at, &bytes);
        let high = if self.group_len >= 64 { r.le32(40)? } else { 0 };
        let block = u64::from(r.le32(8)?) | u64::from(high) << 32;
        Ok(block.saturating_mul(self.block))
    }
}

fn fields(r: &Record<'_>) -> Result<Vec<Field>> {
    use FieldKind::{FileSystemHistory, FileSystemId, FileSystemTime, Header, VolumeName};
    let text = |at, len| -> Result<String> {
        let bytes = r.slice(at, len)?;
        Ok(printable(bytes.split(|byte| *byte == 0).next().unwrap_or_default()))
    };
    let time = |at| -> Result<String> {
        let seconds = r.le32(at)?;
        Ok(if seconds == 0 { "none".into() } else { calendar::utc(seconds.into()) })
    };
    let mut fields = vec![
        Field::new(FileSystemId, "UUID", hex(r.slice(104, 16)?)),
        Field::new(FileSystemId, "hash seed", hex(r.slice(236, 16)?)),
        Field::new(VolumeName, "volume label", text(120, 16)?),
        Field::new(Header, "last mounted on", text(136, 64)?),
        Field::new(FileSystemTime, "time of creation", time(264)?),
        Field::new(FileSystemTime, "time of the last mount", time(44)?),
        Field::new(FileSystemTime, "time of the last write", time(48)?),
        Field::new(FileSystemTime, "time of the last check", time(64)?),
        Field::new(FileSystemHistory, "kibibytes written", r.le64(0x178)?),
        Field::new(Header, "block size", 1024_u64 << r.le32(24)?),
        Field::new(Header, "blocks", r.le32(4)?),
        Field::new(Header, "inodes", r.le32(0)?),
        Field::new(
            Header,
            "features",
            format!("{:x} {:x} {:x}", r.le32(92)?, r.le32(96)?, r.le32(100)?),
        ),
    ];
    if r.le32(96)? & SEED != 0 {
        // made of the first UUID, and kept when the UUID changes
        fields.push(Field::new(FileSystemId, "seed of the checksums", hex(r.slice(0x270, 4)?)));
    }
    Ok(fields)
}
