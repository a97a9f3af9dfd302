//! How much work an image may cause. A few kilobytes can unpack to terabytes, or name the same
//! block a million times; work is counted, never timed, so that a result depends on the image only.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Unpacked bytes that every image may have, however small it is.
const UNPACKED_AT_LEAST: u64 = 2 << 30;

/// Unpacked bytes for each byte of the image beyond. A Debian live image needs 4.
const UNPACKED_PER_BYTE: u64 = 64;

/// Folder entries and archive members in all layers together. A desktop image has 300,000.
const ENTRIES: u64 = 8 << 20;

/// What is left to spend; shared by all layers of one image.
#[derive(Debug)]
pub struct Budget {
    unpacked: AtomicU64,
    entries: AtomicU64,
}

impl Budget {
    /// For an image of that many bytes.
    pub fn for_size(bytes: u64) -> Arc<Budget> {
        let unpacked = UNPACKED_AT_LEAST.saturating_add(bytes.saturating_mul(UNPACKED_PER_BYTE));
        Budget::new(unpacked, ENTRIES)
    }

    /// That many unpacked bytes, that many entries.
    pub fn new(unpacked: u64, entries: u64) -> Arc<Budget> {
        Arc::new(Budget { unpacked: AtomicU64::new(unpacked), entries: AtomicU64::new(entries) })
    }

    /// Pays for bytes that were read out of a compressed block, or again.
    pub fn unpack(&self, layer: &'static str, offset: u64, bytes: u64) -> Result<()> {
        take(&self.unpacked, bytes).map(|_| ()).ok_or_else(|| {
            Error::new(layer, offset, "unpacks to far more than an image of this size should")
        })
    }

    /// Pays for entries of a folder or members of an archive.
    pub fn entries(&self, layer: &'static str, offset: u64, count: u64) -> Result<()> {
        take(&self.entries, count)
            .map(|_| ())
            .ok_or_else(|| Error::new(layer, offset, format!("more than {ENTRIES} entries")))
    }
}

fn take(from: &AtomicU64, amount: u64) -> Option<u64> {
    from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(amount)).ok()
}
