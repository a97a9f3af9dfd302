//! Checksums of an ext4 (feature `metadata_csum`). They are recomputed: one that is right follows from
//! what it covers, and is cleared; one that is wrong stays, and so it is told.

use super::superblock::Superblock;
use crate::crc32c::crc32c;

/// Offsets of an inode's checksum: the lower half, and the upper one.
const INODE: [usize; 2] = [124, 130];

/// Bytes behind the names of a block of a directory: an entry of no file, and the sum.
const TAIL: usize = 12;

/// The sums of one file system.
pub(super) struct MetadataSums {
    seed: u32,
    /// False: an older kind of sums or none, of which all bytes stay.
    used: bool,
}

impl MetadataSums {
    pub(super) fn of(superblock: &Superblock) -> MetadataSums {
        let seed = superblock.checksum_seed();
        MetadataSums { seed, used: superblock.has_checksums() }
    }

    /// A superblock, whose last four bytes are its sum.
    pub(super) fn superblock(&self, bytes: &mut [u8]) {
        if let Some((covered, sum)) = bytes.split_at_mut_checked(1020)
            && self.used
            && *sum == crc32c(!0, covered).to_le_bytes()
        {
            sum.fill(0);
        }
    }

    /// The descriptor of a group.
    pub(super) fn descriptor(&self, group: u32, bytes: &mut [u8]) {
        let sum = crc32c(self.seed, &group.to_le_bytes());
        self.clear(bytes, &[30], |bytes| crc32c(sum, bytes));
    }

    /// The sum of a bitmap, whose halves stand at `places` of its descriptor.
    pub(super) fn bitmap(&self, bitmap: &[u8], descriptor: &mut [u8], places: [usize; 2]) {
        if !self.used {
            return;
        }
        let sum = crc32c(self.seed, bitmap).to_le_bytes();
        let high = descriptor.len() >= places[1] + 2;
        let is = |at: usize, half: &[u8]| descriptor[at..at + 2] == *half;
        if is(places[0], &sum[..2]) && (!high || is(places[1], &sum[2..])) {
            descriptor[places[0]..places[0] + 2].fill(0);
            if high {
                descriptor[places[1]..places[1] + 2].fill(0);
            }
        }
    }

    /// The sum that those of an inode's blocks begin with.
    fn of_inode(&self, number: u32, inode: &[u8]) -> u32 {
        crc32c(crc32c(self.seed, &number.to_le_bytes()), &inode[100..104])
    }

    pub(super) fn inode(&self, number: u32, bytes: &mut [u8]) {
        let sum = self.of_inode(number, bytes);
        let extra = bytes.len() > 132 && u16::from_le_bytes([bytes[128], bytes[129]]) >= 4;
        let places = if extra { &INODE[..] } else { &INODE[..1] };
        self.clear(bytes, places, |bytes| crc32c(sum, bytes));
    }

    /// A block of a directory, which ends with an entry of no file that holds the sum.
    pub(super) fn names(&self, number: u32, inode: &[u8], block: &mut [u8]) {
        let Some(at) = block.len().checked_sub(TAIL) else { return };
        let (covered, tail) = block.split_at_mut(at);
        let sum = crc32c(self.of_inode(number, inode), covered);
        if self.used && tail[..8] == [0, 0, 0, 0, 12, 0, 0, 0xde] && tail[8..] == sum.to_le_bytes()
        {
            tail[8..].fill(0);
        }
    }

    /// A node of a tree of extents: the sum stands behind the last entry that has room.
    pub(super) fn extents(&self, number: u32, inode: &[u8], block: &mut [u8]) {
        let at = 12 + 12 * usize::from(u16::from_le_bytes([block[4], block[5]]));
        let sum = |covered: &[u8]| crc32c(self.of_inode(number, inode), covered).to_le_bytes();
        if self.used
            && let Some((covered, rest)) = block.split_at_mut_checked(at)
            && let Some(place) = rest.get_mut(..4)
            && *place == sum(covered)
        {
            place.fill(0);
        }
    }

    /// A block of an orphan file: the inodes, a magic, and the sum.
    pub(super) fn orphans(&self, number: u32, inode: &[u8], place: u64, block: &mut [u8]) {
        let Some(at) = block.len().checked_sub(8) else { return };
        let (covered, tail) = block.split_at_mut(at);
        let sum = crc32c(self.of_inode(number, inode), &place.to_le_bytes());
        if self.used && tail[4..] == crc32c(sum, covered).to_le_bytes() {
            tail[4..].fill(0);
        }
    }

    /// Clears the two halves of a sum at `places`, if it is that of all bytes with zeros in its place.
    fn clear(&self, bytes: &mut [u8], places: &[usize], sum: impl Fn(&[u8]) -> u32) {
        let mut zeroed = bytes.to_vec();
        for at in places {
            zeroed[*at..*at + 2].fill(0);
        }
        let sum = sum(&zeroed).to_le_bytes();
        let halves = places.iter().zip([&sum[..2], &sum[2..]]);
        if self.used && halves.into_iter().all(|(at, half)| bytes[*at..*at + 2] == *half) {
            bytes.copy_from_slice(&zeroed);
        }
    }
}
