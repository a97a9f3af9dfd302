//! The blocks of a file system.

use super::superblock::{LAYER, Superblock};
use crate::budget::Budget;
use crate::error::Result;
use crate::source::Shared;
use std::sync::Arc;

/// An open file system: its image and its superblock.
pub(super) struct Volume {
    pub(super) source: Shared,
    pub(super) superblock: Superblock,
    pub(super) budget: Arc<Budget>,
}

impl Volume {
    /// Offset and bytes of a block.
    pub(super) fn block(&self, number: u64) -> Result<(u64, Vec<u8>)> {
        let offset = number.saturating_mul(self.superblock.block);
        self.budget.unpack(LAYER, offset, self.superblock.block)?;
        Ok((offset, self.source.exactly(LAYER, offset, self.superblock.block as usize)?))
    }
}
