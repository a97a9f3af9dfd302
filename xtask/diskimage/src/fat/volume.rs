//! The folders, entries and clusters of a file system.

use super::allocation;
use super::boot_sector::{BootSector, LAYER};
use super::directory_entry::{DirectoryEntry, ENTRY};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::source::Shared;
use crate::tree::LISTING;
use std::sync::Arc;

/// Handle of the root, which no entry names.
pub(super) const ROOT: u64 = 0;

/// An open file system: its image and its boot sector.
pub(super) struct Volume {
    pub(super) source: Shared,
    pub(super) shape: BootSector,
    pub(super) budget: Arc<Budget>,
}

impl Volume {
    pub(super) fn extents(&self, first: u32, most: u64) -> Result<Vec<(u64, u64)>> {
        allocation::extents(&self.shape, &*self.source, &self.budget, first, most)
    }

    /// Offsets and bytes of a folder's entries.
    pub(super) fn folder(&self, handle: u64) -> Result<Vec<(u64, u64)>> {
        if handle == ROOT && self.shape.bits != 32 {
            return Ok(vec![(self.shape.root, self.shape.root_len)]);
        }
        let first =
            if handle == ROOT { self.shape.root_cluster } else { self.entry(handle)?.cluster };
        let extents = self.extents(first, LISTING as u64)?;
        let len: u64 = extents.iter().map(|(_, len)| len).sum();
        if len > LISTING as u64 {
            return Err(Error::new(
                LAYER,
                handle,
                format!("a folder of more than {LISTING} bytes"),
            ));
        }
        Ok(extents)
    }

    /// Calls `each` with the offset and the bytes of every entry of a folder, up to the mark of the
    /// end; `true` from `each` ends it before.
    pub(super) fn each_entry(
        &self,
        handle: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> Result<bool>,
    ) -> Result<()> {
        for (start, len) in self.folder(handle)? {
            self.budget.unpack(LAYER, start, len)?;
            let bytes = self.source.exactly(LAYER, start, len as usize)?;
            for (index, raw) in bytes.chunks_exact(ENTRY).enumerate() {
                if raw[0] == 0 || each(start + (index * ENTRY) as u64, raw)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The entry with a handle, which is its offset in the image.
    pub(super) fn entry(&self, handle: u64) -> Result<DirectoryEntry> {
        let bytes = self.source.exactly(LAYER, handle, ENTRY)?;
        DirectoryEntry::read(&Record::new(LAYER, handle, &bytes))
    }
}
