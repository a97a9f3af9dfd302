//! State that all threads share.

use super::allowance::Allowance;
use super::equal::{ComparedBlocks, EqualMap};
use diskimage::Budget;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// State that all threads share.
pub(super) struct Shares {
    /// Which bytes of the two files are the same at the same offsets; none: of folders.
    pub(super) map: Option<Arc<EqualMap>>,
    /// Stored blocks whose bytes were compared.
    pub(super) blocks: ComparedBlocks,
    /// Squashfs of A in which a block of one content is packed otherwise, by their offset in the outermost file.
    pub(super) repacked: Mutex<HashSet<u64>>,
    pub(super) budgets: [Arc<Budget>; 2],
    pub(super) allowance: Allowance,
    pub(super) entries: Mutex<BTreeMap<&'static str, [u64; 2]>>,
}

impl Shares {
    /// The list of squashfs in which a block of one content is packed otherwise.
    pub(super) fn repacked(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.repacked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, layer: &'static str, counts: [usize; 2]) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = entries.entry(layer).or_default();
        sum[0] += counts[0] as u64;
        sum[1] += counts[1] as u64;
    }
}
