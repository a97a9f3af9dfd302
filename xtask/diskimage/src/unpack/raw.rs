//! The compressed bytes that a decoder reads.

use crate::source::Shared;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes read or unpacked at a time.
pub(super) const STEP: usize = 1 << 16;

/// Reads compressed bytes and counts those that were used.
pub(super) struct Raw {
    source: Shared,
    buffer: Vec<u8>,
    used: usize,
    /// Offset of the first byte that is not used.
    at: Arc<AtomicU64>,
}

impl Raw {
    /// Reads `source` from the offset `at` on.
    pub(super) fn new(source: Shared, at: Arc<AtomicU64>) -> Raw {
        Raw { source, buffer: Vec::new(), used: 0, at }
    }
}

impl BufRead for Raw {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.buffer.len() {
            let at = self.at.load(Ordering::Relaxed);
            self.buffer = self.source.up_to(at, STEP).map_err(io::Error::other)?;
            self.used = 0;
        }
        Ok(&self.buffer[self.used..])
    }

    fn consume(&mut self, n: usize) {
        self.used += n;
        self.at.fetch_add(n as u64, Ordering::Relaxed);
    }
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let n = from.len().min(into.len());
        into[..n].copy_from_slice(&from[..n]);
        self.consume(n);
        Ok(n)
    }
}
