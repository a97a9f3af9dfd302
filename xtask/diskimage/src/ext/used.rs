//! The blocks and inodes that something uses, as the bitmaps should say it.

use super::blocks::Map;
use super::superblock::LAYER;
use super::volume::Volume;
use crate::budget::{Budget, Held};
use crate::error::Result;
use std::sync::Arc;

/// A bit for each block, and one for each inode.
pub(super) struct UsedBlocks {
    blocks: Vec<u8>,
    inodes: Vec<u8>,
    folders: Vec<u32>,
    inodes_per_group: u32,
    budget: Arc<Budget>,
    _held: Held,
}

impl UsedBlocks {
    pub(super) fn of(volume: &Volume) -> Result<UsedBlocks> {
        let superblock = &volume.superblock;
        // never more than the image can hold
        let blocks = superblock.blocks().min(volume.source.size()? / superblock.block + 1);
        let inodes = volume.source.size()? / superblock.inode_len + 1;
        let inodes = inodes.min(superblock.inodes.into());
        let groups = inodes / u64::from(superblock.inodes_per_group) + 1;
        let bytes = blocks / 8 + inodes / 8 + 4 * groups + 16;
        let held = volume.budget.hold(LAYER, 0, bytes)?;
        Ok(UsedBlocks {
            blocks: vec![0; (blocks / 8 + 1) as usize],
            inodes: vec![0; (inodes / 8 + 1) as usize],
            folders: vec![0; groups as usize],
            inodes_per_group: superblock.inodes_per_group,
            budget: volume.budget.clone(),
            _held: held,
        })
    }

    /// Adds blocks, each of which is work: an image can name the same ones as often as it likes.
    pub(super) fn add_blocks(&mut self, first: u64, count: u64) -> Result<()> {
        let last = first.saturating_add(count).min(self.blocks.len() as u64 * 8);
        self.budget.unpack(LAYER, first, last.saturating_sub(first))?;
        for block in first..last {
            self.blocks[(block / 8) as usize] |= 1 << (block % 8);
        }
        Ok(())
    }

    pub(super) fn add_map(&mut self, map: &Map) -> Result<()> {
        map.blocks.iter().try_for_each(|(first, count)| self.add_blocks(*first, *count))?;
        map.nodes.iter().try_for_each(|node| self.add_blocks(*node, 1))
    }

    /// Adds an inode; returns false if it was there.
    pub(super) fn add_inode(&mut self, number: u32, folder: bool) -> bool {
        let index = number.wrapping_sub(1);
        let Some(byte) = self.inodes.get_mut((index / 8) as usize) else { return false };
        let bit = 1 << (index % 8);
        let new = *byte & bit == 0;
        *byte |= bit;
        if let Some(folders) = self.folders.get_mut((index / self.inodes_per_group) as usize)
            && new
            && folder
        {
            *folders += 1;
        }
        new
    }

    fn block(&self, block: u64) -> bool {
        let byte = self.blocks.get((block / 8) as usize);
        byte.is_some_and(|byte| byte & 1 << (block % 8) != 0)
    }

    fn inode(&self, index: u64) -> bool {
        let byte = self.inodes.get((index / 8) as usize);
        byte.is_some_and(|byte| byte & 1 << (index % 8) != 0)
    }

    /// Returns true if a bitmap says what of `count` blocks from `first` on is used.
    pub(super) fn blocks_are(&self, bitmap: &[u8], first: u64, count: u64) -> bool {
        is(bitmap, count, |index| self.block(first + index))
    }

    /// The same of the inodes from the index `first` on.
    pub(super) fn inodes_are(&self, bitmap: &[u8], first: u64, count: u64) -> bool {
        is(bitmap, count, |index| self.inode(first + index))
    }

    /// Unused blocks of `count` from `first` on.
    pub(super) fn free_blocks(&self, first: u64, count: u64) -> u64 {
        let count = count.min((self.blocks.len() as u64 * 8).saturating_sub(first));
        (0..count).filter(|index| !self.block(first + index)).count() as u64
    }

    /// Unused inodes of `count` from the index `first` on.
    pub(super) fn free_inodes(&self, first: u64, count: u64) -> u64 {
        let count = count.min((self.inodes.len() as u64 * 8).saturating_sub(first));
        (0..count).filter(|index| !self.inode(first + index)).count() as u64
    }

    /// Folders of a group.
    pub(super) fn folders(&self, group: u32) -> u64 {
        self.folders.get(group as usize).copied().unwrap_or(0).into()
    }
}

/// Returns true if `count` bits are as they should be, and all behind them are set.
fn is(bitmap: &[u8], count: u64, used: impl Fn(u64) -> bool) -> bool {
    (0..bitmap.len() as u64 * 8).all(|index| {
        let set = bitmap[(index / 8) as usize] & 1 << (index % 8) != 0;
        set == (index >= count || used(index))
    })
}
