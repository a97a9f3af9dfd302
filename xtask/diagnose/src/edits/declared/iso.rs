//! Places that ISO writers put into boot files. Each is verified: it is told only where it says what
//! is the case.

use super::field::{DeclaredField, PlacedContent, Region, le16, le32, le64};

const SECTOR: u64 = 2048;

/// `-boot-info-table` and `--grub2-boot-info` (mkisofs(8), xorrisofs(1)): sector of the volume
/// descriptor, sector, length and sum of the file; and its place in sectors of 512 bytes.
pub(super) fn boot_info(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let (bytes, offset) = (content.bytes, content.placed.offset?);
    let sector = u32::try_from(offset / SECTOR).ok()?;
    let mut found = Vec::new();
    let sum = || {
        let words = bytes.get(64..)?.chunks(4).map(|word| {
            let mut whole = [0; 4];
            whole[..word.len()].copy_from_slice(word);
            u32::from_le_bytes(whole)
        });
        Some(words.fold(0, u32::wrapping_add))
    };
    if le32(bytes, 8)? == 16
        && le32(bytes, 12)? == sector
        && usize::try_from(le32(bytes, 16)?).ok()? == bytes.len()
        && le32(bytes, 20)? == sum()?
        && bytes.get(24..64)?.iter().all(|byte| *byte == 0)
    {
        let shown = format!("sector {sector}, {} bytes", bytes.len());
        found.push(Region { range: 8..64, field: DeclaredField::BootPosition, shown });
    }
    // GRUB's boot image wants its second sector: xorriso writes the place of the fifth of 512 bytes
    let place = offset / 512 + 5;
    if le64(bytes, 2548) == Some(place) {
        let shown = format!("sector {place} of 512 bytes");
        found.push(Region { range: 2548..2556, field: DeclaredField::BootPosition, shown });
    }
    (!found.is_empty()).then_some(found)
}

/// El Torito's catalogue: the sectors of the boot images, which the fields of the ISO tell. What lies
/// there is compared as boot image 1, 2, ….
pub(super) fn catalogue(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let bytes = content.bytes;
    content.placed.offset?;
    let sum = || {
        let words = bytes.get(..32)?.chunks_exact(2).map(|word| le16(word, 0).unwrap_or(0));
        Some(words.fold(0, u16::wrapping_add))
    };
    let is_one = bytes.len() == SECTOR as usize
        && bytes[0] == 1
        && bytes[30..32] == [0x55, 0xaa]
        && sum()? == 0
        && matches!(bytes[32], 0 | 0x88);
    if !is_one {
        return None;
    }
    let mut found = Vec::new();
    let entries = (32..SECTOR as usize).step_by(32).filter(|at| bytes[*at] == 0x88);
    for at in entries {
        let range = at + 8..at + 12;
        let shown = format!("boot image in sector {}", le32(bytes, at + 8)?);
        found.push(Region { range, field: DeclaredField::BootPosition, shown });
    }
    Some(found)
}

/// A copy of the primary volume descriptor, which xorriso makes for the partition that starts at a later
/// sector: how many sectors there are, and the four dates.
pub(super) fn descriptor_copy(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let bytes = content.bytes;
    // in a file these bytes are its own
    let at =
        memchr::memmem::find(bytes, b"\x01CD001\x01\0").filter(|_| content.placed.between_files)?;
    let sectors = le32(bytes, at + 80)?;
    // both byte orders say the same
    if le32(bytes, at + 84)?.swap_bytes() != sectors {
        return None;
    }
    let region = |from: usize, len: usize, shown: String| Region {
        range: from..from + len,
        field: DeclaredField::DescriptorCopy,
        shown,
    };
    let mut found = vec![region(at + 80, 8, sectors.to_string())];
    for from in (at + 813..at + 881).step_by(17) {
        let date = std::str::from_utf8(bytes.get(from..from + 16)?).ok()?;
        if date.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push(region(from, 16, date[..14].to_owned()));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::declared::Placed;

    fn image(sector: u32) -> Vec<u8> {
        let mut bytes = vec![0x90; 4096];
        let sum = (0..(4096_u32 - 64) / 4).fold(0_u32, |sum, _| sum.wrapping_add(0x9090_9090));
        let words = [16, sector, 4096, sum];
        bytes[8..64].fill(0);
        for (i, word) in words.iter().enumerate() {
            bytes[8 + i * 4..][..4].copy_from_slice(&u32::to_le_bytes(*word));
        }
        bytes
    }

    #[test]
    fn a_boot_info_table_is_one_only_where_it_says_the_truth() {
        let bytes = image(40);
        let placed = |offset| Placed { offset, between_files: false };
        let at = |offset| boot_info(&PlacedContent { bytes: &bytes, placed: placed(offset) });
        assert_eq!(at(Some(40 * SECTOR)).unwrap().len(), 1);
        assert!(at(Some(41 * SECTOR)).is_none() && at(None).is_none());
        let mut other = image(40);
        other[100] = 0x91;
        let placed = placed(Some(40 * SECTOR));
        assert!(boot_info(&PlacedContent { bytes: &other, placed }).is_none());
    }
}
