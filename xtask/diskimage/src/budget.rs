//! Limits on the work and the memory that one image may cause.
//!
//! A few kilobytes can unpack to terabytes, name the same block a million times, or ask for
//! gigabytes of names. Every reader pays for what it does from the [`Budget`] of the image. Work is
//! counted, never timed, so that a result depends on the image alone. A budget that is spent is an
//! [`Error`] that says where reading stopped and what was not read.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that may be read and unpacked of any image, however small it is.
const WORK_AT_LEAST: u64 = 2 << 30;

/// Further bytes for each byte of the image. A Debian live image needs 4.
const WORK_PER_BYTE: u64 = 64;

/// Folder entries and archive members that any image may have. A desktop image has 300,000.
const ENTRIES_AT_LEAST: u64 = 1 << 20;

/// Bytes of the image for each further entry.
const BYTES_PER_ENTRY: u64 = 64;

/// Bytes of memory that the names, attributes and tables of one image may take at one time.
const MEMORY: u64 = 256 << 20;

/// Bytes of memory that all decoders of one image may take at one time: fourteen of `xz -9`.
const DECODERS: u64 = 1 << 30;

/// The limits of one image, shared by all layers in it.
#[derive(Debug)]
pub struct Budget {
    work: Limit,
    entries: Limit,
    memory: Arc<Limit>,
    decoders: Arc<Limit>,
}

#[derive(Debug)]
struct Limit {
    all: u64,
    left: AtomicU64,
}

impl Limit {
    fn new(all: u64) -> Limit {
        Limit { all, left: AtomicU64::new(all) }
    }

    /// Takes `amount`; `false` if less is left.
    fn take(&self, amount: u64) -> bool {
        let take = |left: u64| left.checked_sub(amount);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl Budget {
    /// The budget of an image of `bytes` bytes.
    pub fn for_size(bytes: u64) -> Arc<Budget> {
        let work = WORK_AT_LEAST.saturating_add(bytes.saturating_mul(WORK_PER_BYTE));
        Budget::new(work, ENTRIES_AT_LEAST + bytes / BYTES_PER_ENTRY)
    }

    /// A budget of `work` bytes read or unpacked, and of `entries` entries of folders and archives.
    pub fn new(work: u64, entries: u64) -> Arc<Budget> {
        Arc::new(Budget {
            work: Limit::new(work),
            entries: Limit::new(entries),
            memory: Arc::new(Limit::new(MEMORY)),
            decoders: Arc::new(Limit::new(DECODERS)),
        })
    }

    /// Pays for `bytes` bytes that are unpacked, read or made up (a hole of a sparse file) at
    /// `offset` of a layer.
    pub fn unpack(&self, layer: &'static str, offset: u64, bytes: u64) -> Result<()> {
        if self.work.take(bytes) {
            return Ok(());
        }
        let why = format!(
            "unpacks to far more than an image of this size should: after {} bytes of work the \
             rest was not read",
            self.work.all
        );
        Err(Error::new(layer, offset, why))
    }

    /// Pays for `count` entries of a folder or members of an archive.
    pub fn entries(&self, layer: &'static str, offset: u64, count: u64) -> Result<()> {
        if self.entries.take(count) {
            return Ok(());
        }
        let why = format!(
            "more than {} entries, too many for an image of this size: the rest was not read",
            self.entries.all
        );
        Err(Error::new(layer, offset, why))
    }

    /// Pays for the memory of names, attributes and tables until the result is dropped.
    pub(crate) fn hold(&self, layer: &'static str, offset: u64, bytes: u64) -> Result<Held> {
        let what = "names, attributes and tables";
        let mut held = Held { limit: self.memory.clone(), what, bytes: 0 };
        held.grow(layer, offset, bytes)?;
        Ok(held)
    }

    /// Starts to pay for the memory of a decoder, until the result is dropped.
    pub(crate) fn hold_decoder(&self) -> Held {
        Held { limit: self.decoders.clone(), what: "decoders", bytes: 0 }
    }
}

/// Memory that was paid for; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Held {
    limit: Arc<Limit>,
    what: &'static str,
    bytes: u64,
}

impl Held {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn grow(&mut self, layer: &'static str, offset: u64, bytes: u64) -> Result<()> {
        if self.limit.take(bytes) {
            self.bytes += bytes;
            return Ok(());
        }
        let (what, all) = (self.what, self.limit.all);
        let why = format!("{what} of more than {all} bytes of memory: the rest was not read");
        Err(Error::new(layer, offset, why))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.limit.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
