//! The first 96 bytes (Linux, fs/squashfs/squashfs_fs.h, struct squashfs_super_block).

use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::Record;
use crate::source::Source;
use crate::unpack::Codec;

pub(crate) const LAYER: &str = "squashfs";

pub(crate) const MAGIC: &[u8; 4] = b"hsqs";

/// Bytes of the superblock.
pub(crate) const LEN: usize = 96;

/// The offset of a table that does not exist.
pub(crate) const NONE: u64 = u64::MAX;

#[derive(Clone, Debug)]
pub(super) struct Superblock {
    pub(crate) inodes: u32,
    pub(crate) mkfs_time: u32,
    pub(crate) block_size: u32,
    pub(crate) fragments: u32,
    pub(crate) codec: Codec,
    pub(crate) flags: u16,
    pub(crate) ids: u16,
    pub(crate) root: u64,
    pub(crate) bytes_used: u64,
    pub(crate) id_table: u64,
    pub(crate) xattr_table: u64,
    pub(crate) inode_table: u64,
    pub(crate) directory_table: u64,
    pub(crate) fragment_table: u64,
    pub(crate) export_table: u64,
}

/// Compressor options follow the superblock.
const FLAG_OPTIONS: u16 = 0x400;

/// Names of the flags, in the order of their bits.
const FLAGS: [&str; 12] = [
    "uncompressed inodes",
    "uncompressed data",
    "check",
    "uncompressed fragments",
    "no fragments",
    "always fragments",
    "duplicates removed",
    "exportable",
    "uncompressed xattrs",
    "no xattrs",
    "compressor options",
    "uncompressed ids",
];

/// Strategies of zlib and filters of xz that mksquashfs knows.
const STRATEGIES: usize = 5;
const FILTERS: usize = 8;

impl Superblock {
    pub(crate) fn read(source: &dyn Source) -> Result<Superblock> {
        let bytes = source.exactly(LAYER, 0, LEN)?;
        let r = Record::new(LAYER, 0, &bytes);
        if r.slice(0, 4)? != MAGIC {
            return Err(r.error(0, "no superblock"));
        }
        let version = (r.le16(28)?, r.le16(30)?);
        if version != (4, 0) {
            return Err(r.error(28, format!("version {}.{}, not 4.0", version.0, version.1)));
        }
        let codec = match r.le16(20)? {
            1 => Codec::Gzip,
            2 => Codec::Lzma,
            3 => Codec::Lzo,
            4 => Codec::Xz,
            5 => Codec::Lz4,
            6 => Codec::Zstd,
            other => return Err(r.error(20, format!("unknown compressor {other}"))),
        };
        let block_size = r.le32(12)?;
        if !(4096..=1 << 20).contains(&block_size) || !block_size.is_power_of_two() {
            return Err(r.error(12, format!("block size {block_size} is none")));
        }
        if u32::from(r.le16(22)?) != block_size.ilog2() {
            return Err(r.error(22, "two block sizes"));
        }
        let superblock = Superblock {
            inodes: r.le32(4)?,
            mkfs_time: r.le32(8)?,
            block_size,
            fragments: r.le32(16)?,
            codec,
            flags: r.le16(24)?,
            ids: r.le16(26)?,
            root: r.le64(32)?,
            bytes_used: r.le64(40)?,
            id_table: r.le64(48)?,
            xattr_table: r.le64(56)?,
            inode_table: r.le64(64)?,
            directory_table: r.le64(72)?,
            fragment_table: r.le64(80)?,
            export_table: r.le64(88)?,
        };
        let size = source.size()?;
        if superblock.bytes_used > size {
            let why = format!("{} bytes used, {size} there", superblock.bytes_used);
            return Err(Error::new(LAYER, 40, why));
        }
        let tables = [superblock.inode_table, superblock.directory_table, superblock.id_table];
        if tables.iter().any(|table| *table >= superblock.bytes_used) {
            return Err(Error::new(LAYER, 48, "a table lies behind the end"));
        }
        Ok(superblock)
    }

    pub(crate) fn fields(&self, source: &dyn Source) -> Vec<Field> {
        use FieldKind::{Compressor, Layout, MkfsTime};
        let mut flags: Vec<String> = FLAGS
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.flags & (1 << bit) != 0)
            .map(|(_, name)| (*name).to_owned())
            .collect();
        let others = self.flags >> FLAGS.len();
        if others != 0 {
            flags.push(format!("others {others:x}"));
        }
        let (options, known) = self.options(source);
        // which no mksquashfs writes are no setting of one
        let kind = |known| if known { Compressor } else { FieldKind::Header };
        vec![
            Field::new(
                MkfsTime,
                "time of creation",
                xtask_core::calendar::utc(i64::from(self.mkfs_time)),
            ),
            Field::new(Compressor, "compressor", self.codec.name()),
            Field::new(kind(known), "compressor options", options),
            Field::new(Compressor, "block size", self.block_size),
            Field::new(kind(others == 0), "flags", flags.join(", ")),
            Field::new(Layout, "inodes", self.inodes),
            Field::new(Layout, "fragments", self.fragments),
            Field::new(Layout, "owners", self.ids),
            Field::new(Layout, "bytes used", self.bytes_used),
            Field::new(Layout, "inode table", self.inode_table),
            Field::new(Layout, "directory table", self.directory_table),
            Field::new(Layout, "fragment table", self.fragment_table as i64),
            Field::new(Layout, "export table", self.export_table as i64),
            Field::new(Layout, "owner table", self.id_table),
            Field::new(Layout, "xattr table", self.xattr_table as i64),
        ]
    }

    /// Bytes of the superblock and of the compressor's options, as far as fields tell them.
    pub(crate) fn described(&self) -> u64 {
        let options = match self.codec {
            _ if self.flags & FLAG_OPTIONS == 0 => 0,
            Codec::Zstd => 2 + 4,
            Codec::Gzip | Codec::Xz | Codec::Lz4 | Codec::Lzo => 2 + 8,
            Codec::Lzma | Codec::Bzip2 | Codec::Deflate => 0,
        };
        LEN as u64 + options
    }

    /// Text of the options of the compressor, and `true` if mksquashfs writes such ones. They are in an
    /// uncompressed metadata block behind the superblock, in a struct of each compressor (squashfs-tools,
    /// comp/*.h).
    fn options(&self, source: &dyn Source) -> (String, bool) {
        if self.flags & FLAG_OPTIONS == 0 {
            return ("default".into(), true);
        }
        let bytes = source.up_to(LEN as u64, 2 + 8).unwrap_or_default();
        let r = Record::new(LAYER, LEN as u64, &bytes);
        let number = |at: usize| r.le32(2 + at);
        let half = |at: usize| r.le16(2 + at);
        let read = || -> Result<(String, bool, u16)> {
            Ok(match self.codec {
                Codec::Gzip => {
                    let (level, window, strategies) = (number(0)?, half(4)?, half(6)?);
                    let known = matches!(level, 1..=9)
                        && matches!(window, 8..=15)
                        && strategies < 1 << STRATEGIES;
                    let text = format!("level {level}, window {window}, strategies {strategies}");
                    (text, known, 8)
                }
                Codec::Xz => {
                    let (dictionary, filters) = (number(0)?, number(4)?);
                    // a power of two, or one and a half
                    let known = dictionary.count_ones() <= 2 && filters < 1 << FILTERS;
                    (format!("dictionary {dictionary}, filters {filters}"), known, 8)
                }
                Codec::Lz4 => {
                    let (version, flags) = (number(0)?, number(4)?);
                    (format!("version {version}, flags {flags}"), version == 1 && flags <= 1, 8)
                }
                Codec::Zstd => {
                    let level = number(0)?;
                    (format!("level {level}"), matches!(level, 1..=22), 4)
                }
                Codec::Lzo => {
                    let (algorithm, level) = (number(0)?, number(4)?);
                    let text = format!("algorithm {algorithm}, level {level}");
                    (text, algorithm <= 4 && level <= 9, 8)
                }
                Codec::Lzma | Codec::Bzip2 | Codec::Deflate => (String::new(), false, 0),
            })
        };
        match (read(), r.le16(0)) {
            (Ok((text, known, len)), Ok(head)) if head == 1 << 15 | len => (text, known),
            (Ok((text, ..)), Ok(head)) => (format!("{text}, behind {head:04x}"), false),
            _ => ("unreadable".into(), false),
        }
    }
}
