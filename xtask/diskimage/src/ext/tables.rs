//! The tables of an ext4: superblock, descriptors of groups, bitmaps, inodes. Parts of
//! [`Structures`](super::structures::Structures).

use super::structures::Structures;
use super::superblock::{LAYER, START};
use crate::error::Result;
use crate::record::Record;
use crate::tree::LISTING;

impl Structures<'_> {
    /// Descriptors, bitmaps and inode tables of all groups.
    pub(super) fn tables(&mut self) -> Result<()> {
        let superblock = &self.volume.superblock;
        let (block, first) = (superblock.block, superblock.first_block());
        let per_group = superblock.blocks_per_group();
        let blocks = superblock.blocks();
        let groups = u32::try_from(superblock.groups()).unwrap_or(u32::MAX);
        let table_len = u64::from(superblock.inodes_per_group) * superblock.inode_len;
        let descriptors = u64::from(groups) * superblock.group_len;
        let copied = descriptors.div_ceil(block) + u64::from(superblock.le16(0xce));
        self.volume.budget.unpack(LAYER, superblock.descriptors, descriptors)?;
        // what the bitmaps should say must be known before they are judged
        let mut places = Vec::new();
        for group in 0..groups {
            let at = superblock.descriptors + u64::from(group) * superblock.group_len;
            let bytes = self.volume.source.exactly(LAYER, at, superblock.group_len as usize)?;
            self.held.grow(LAYER, at, bytes.len() as u64 + 24)?;
            let r = Record::new(LAYER, at, &bytes);
            let wide = superblock.group_len >= 64;
            let place = |low: usize, high: usize| -> Result<u64> {
                let high = if wide { r.le32(high)? } else { 0 };
                Ok(u64::from(r.le32(low)?) | u64::from(high) << 32)
            };
            let three = [place(0, 0x20)?, place(4, 0x24)?, place(8, 0x28)?];
            self.used.add_blocks(three[0], 1)?;
            self.used.add_blocks(three[1], 1)?;
            self.used.add_blocks(three[2], table_len.div_ceil(block))?;
            if superblock.has_copy(group.into()) {
                self.used.add_blocks(first + u64::from(group) * per_group, 1 + copied)?;
            }
            places.push((bytes, three));
        }
        self.known.add(superblock.descriptors, descriptors)?;
        for (group, (descriptor, [of_blocks, of_inodes, table])) in (0..).zip(places) {
            let mut descriptor = descriptor;
            let from = first + u64::from(group) * per_group;
            let count = per_group.min(blocks - from);
            let mut bitmaps = Vec::new();
            for place in [of_blocks, of_inodes] {
                let (offset, bitmap) = self.volume.block(place)?;
                self.known.add(offset, block)?;
                bitmaps.push(bitmap);
            }
            self.descriptor(group, &mut descriptor, [from, count], &bitmaps)?;
            self.bitmaps(group, [from, count], bitmaps)?;
            self.inode_table(group, table.saturating_mul(block))?;
        }
        Ok(())
    }

    /// A descriptor without sums and counts that are right.
    fn descriptor(
        &mut self,
        group: u32,
        bytes: &mut [u8],
        [from, count]: [u64; 2],
        bitmaps: &[Vec<u8>],
    ) -> Result<()> {
        let superblock = &self.volume.superblock;
        let inodes = u64::from(superblock.inodes_per_group);
        self.checksums.descriptor(group, bytes);
        let part = |bitmap: &[u8], bits: u64| {
            bitmap[..(bits.div_ceil(8) as usize).min(bitmap.len())].to_vec()
        };
        let of_blocks = part(&bitmaps[0], superblock.blocks_per_group());
        self.checksums.bitmap(&of_blocks, bytes, [0x18, 0x38]);
        self.checksums.bitmap(&part(&bitmaps[1], inodes), bytes, [0x1a, 0x3a]);
        let counts = [
            (0x0c, 0x2c, self.used.free_blocks(from, count)),
            (0x0e, 0x2e, self.used.free_inodes(u64::from(group) * inodes, inodes)),
            (0x10, 0x30, self.used.folders(group)),
        ];
        for (low, high, count) in counts {
            let count = (count as u32).to_le_bytes();
            let wide = bytes.len() >= high + 2;
            if bytes[low..low + 2] == count[..2] && (!wide || bytes[high..high + 2] == count[2..]) {
                bytes[low..low + 2].fill(0);
                if wide {
                    bytes[high..high + 2].fill(0);
                }
            }
        }
        self.add("[group descriptors]", bytes)
    }

    /// The bitmaps of a group, unless they say what is the case.
    fn bitmaps(
        &mut self,
        group: u32,
        [from, count]: [u64; 2],
        mut bitmaps: Vec<Vec<u8>>,
    ) -> Result<()> {
        let inodes = u64::from(self.volume.superblock.inodes_per_group);
        if self.used.blocks_are(&bitmaps[0], from, count) {
            bitmaps[0].fill(0);
        }
        if self.used.inodes_are(&bitmaps[1], u64::from(group) * inodes, inodes) {
            bitmaps[1].fill(0);
        }
        self.add("[block bitmaps]", &bitmaps[0])?;
        self.add("[inode bitmaps]", &bitmaps[1])
    }

    /// The inodes of a group: of the used ones what no entry tells, the others as they are.
    fn inode_table(&mut self, group: u32, table: u64) -> Result<()> {
        let superblock = &self.volume.superblock;
        let (count, len) = (superblock.inodes_per_group, superblock.inode_len as usize);
        let total = u64::from(count) * superblock.inode_len;
        self.volume.budget.unpack(LAYER, table, total)?;
        self.known.add(table, total)?;
        for index in 0..count {
            let number = group.saturating_mul(count).saturating_add(index).saturating_add(1);
            let at = table + u64::from(index) * len as u64;
            if let Some(bytes) = self.inodes.remove(&number) {
                self.add("[inode tables]", &bytes)?;
                continue;
            }
            let bytes = self.volume.source.exactly(LAYER, at, len)?;
            if bytes.iter().any(|byte| *byte != 0) {
                self.add("[inodes of no file]", &bytes)?;
            }
        }
        Ok(())
    }

    /// The superblock, what stands before it, and the copies of it and of the descriptors.
    pub(super) fn superblock(&mut self) -> Result<()> {
        let superblock = &self.volume.superblock;
        let (source, block) = (&self.volume.source, superblock.block);
        let blocks = superblock.blocks();
        let (first, per_group) = (superblock.first_block(), superblock.blocks_per_group());
        let boot = source.exactly(LAYER, 0, START as usize)?;
        self.add("[boot block]", &boot)?;
        let free = [
            self.used.free_blocks(first, blocks.saturating_sub(first)),
            self.used.free_inodes(0, superblock.inodes.into()),
        ];
        let primary = self.without_told(source.exactly(LAYER, START, 1024)?, free);
        self.add("[superblock]", &primary)?;
        self.known.add(0, START + 1024)?;
        let groups = superblock.groups();
        for group in (1..groups).filter(|group| superblock.has_copy(*group)) {
            let at = (first + group * per_group).saturating_mul(block);
            self.volume.budget.unpack(LAYER, at, 1024)?;
            let copy = self.without_told(source.exactly(LAYER, at, 1024)?, free);
            self.known.add(at, 1024)?;
            self.add("[copies of the superblock]", &copy)?;
            let (from, to) = (at.saturating_add(block), superblock.descriptors);
            let len = groups.saturating_mul(superblock.group_len).min(LISTING as u64) as usize;
            self.volume.budget.unpack(LAYER, from, 2 * len as u64)?;
            let mut copy = source.exactly(LAYER, from, len)?;
            let original = source.exactly(LAYER, to, len)?;
            self.known.add(from, len as u64)?;
            if copy == original {
                copy.fill(0);
            }
            self.add("[copies of the group descriptors]", &copy)?;
        }
        Ok(())
    }

    /// A superblock without what fields tell, and without counts and a sum that are right. `free`: the
    /// blocks and inodes that nothing uses.
    fn without_told(&self, mut bytes: Vec<u8>, free: [u64; 2]) -> Vec<u8> {
        self.checksums.superblock(&mut bytes);
        let [blocks, inodes] = free.map(u64::to_le_bytes);
        if bytes[12..16] == blocks[..4] && bytes[0x158..0x15c] == blocks[4..] {
            bytes[12..16].fill(0);
            bytes[0x158..0x15c].fill(0);
        }
        if bytes[16..20] == inodes[..4] {
            bytes[16..20].fill(0);
        }
        self.volume.superblock.without_told(&mut bytes);
        bytes
    }
}
