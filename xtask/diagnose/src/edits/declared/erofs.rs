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
        if le32(superblock, 4)? == crc32c(&bytes) {
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

/// CRC-32C without its last inversion, as Linux has it.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0x82f6_3b78 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::declared::Declared;
    use crate::edits::{self, Edited};

    /// An image of one block, with this UUID and time.
    fn image(uuid: u8, time: u64) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[AT..AT + 4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[AT + 8] = 1;
        bytes[AT + 12] = 12;
        bytes[AT + 24..AT + 32].copy_from_slice(&time.to_le_bytes());
        bytes[AT + 48..AT + 64].fill(uuid);
        bytes[AT + 200..AT + 210].copy_from_slice(b"a file's x");
        sum(&mut bytes);
        bytes
    }

    fn sum(bytes: &mut [u8]) {
        bytes[AT + 4..AT + 8].fill(0);
        let sum = crc32c(&bytes[AT..]);
        bytes[AT + 4..AT + 8].copy_from_slice(&sum.to_le_bytes());
    }

    fn edits(a: &[u8], b: &[u8]) -> Vec<Edited> {
        edits::between(a, b, [None; 2]).edits.into_iter().map(|edit| edit.what).collect()
    }

    #[test]
    fn an_id_and_a_time_hide_nothing_beside_them() {
        use Declared::{Checksum, FileSystemId, FileSystemTime};
        assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
        let (a, mut b) = (image(0x11, 1_780_000_000), image(0x22, 1_780_000_009));
        let declared = [Checksum, FileSystemTime, FileSystemId].map(Edited::Declared);
        assert_eq!(edits(&a, &b), declared);
        // a file, with a checksum that fits
        b[AT + 205] = b'X';
        sum(&mut b);
        assert!(!matches!(edits(&a, &b)[3..], []));
        // a checksum that does not
        let mut c = image(0x22, 1_780_000_000);
        c[AT + 4] ^= 1;
        assert!(edits(&a, &c).iter().any(|edit| !matches!(edit, Edited::Declared(_))));
    }
}
