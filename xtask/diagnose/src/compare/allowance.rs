//! Memory for the contents that all threads read.

use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes of all files that are in memory at a time.
const AT_ONCE: u64 = 64 << 20;

/// Memory that all threads share.
#[derive(Default)]
pub(super) struct Allowance {
    taken: Mutex<u64>,
    freed: Condvar,
}

pub(super) struct Taken<'a>(&'a Allowance, u64);

impl Allowance {
    /// Waits until there is room for `bytes`; a single file always has room.
    pub(super) fn take(&self, bytes: u64) -> Taken<'_> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken > 0 && *taken + bytes > AT_ONCE {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += bytes;
        Taken(self, bytes)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.1;
        self.0.freed.notify_all();
    }
}
