//! Superblock of an erofs file system (Linux, fs/erofs/erofs_fs.h): UUID, time, and checksum.

use super::field::{DeclaredField, PlacedContent, Region, le32, le64, shown};
use xtask_core::calendar;

/// Offset of the superblock, and its bytes.
const AT: usize = 1024;
const LEN: usize = 128;

const MAGIC: u32 = 0xe0f5_e1e2;

/// The bit that says that there is a checksum.
const SUMMED: u32 = 1;

pub(super) fn regions(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let superblock = content.bytes.get(AT..)?;
    if le32(superblock, 0)? != MAGIC || superblock.len() < LEN {
        return None;
    }
    let mut found = Vec::new();
    let block = 1_usize.checked_shl(u32::from(superblock[12]))?.checked_sub(AT)?;
    if le32(superblock, 8)? & SUMMED != 0 {
        let mut bytes = superblock.get(..block)?.to_vec();
        bytes[4..8].fill(0);
        if le32(superblock, 4)? == diskimage::crc32c(!0, &bytes) {
            let range = AT + 4..AT + 8;
            found.push(Region {
                range,
                field: DeclaredField::Checksum,
                shown: shown(&superblock[4..8]),
            });
        }
    }
    let time = i64::try_from(le64(superblock, 24)?).ok()?;
    let text = calendar::utc(time);
    found.push(Region {
        range: AT + 24..AT + 36,
        field: DeclaredField::FileSystemTime,
        shown: text,
    });
    let id = shown(&superblock[48..64]);
    found.push(Region { range: AT + 48..AT + 64, field: DeclaredField::FileSystemId, shown: id });
    Some(found)
}
