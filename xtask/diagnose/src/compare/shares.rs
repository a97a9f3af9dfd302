//! State that all threads share.

use super::allowance::Allowance;
use super::equal::{ComparedBlocks, EqualMap};
use diskimage::Budget;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// State that all threads share.
pub(super) struct Shares {
    /// Which bytes of the two files are the same at the same offsets; none: of folders.
    pub(super) map: Option<Arc<EqualMap>>,
    /// Stored blocks whose bytes were compared.
    pub(super) blocks: ComparedBlocks,
    pub(super) budgets: [Arc<Budget>; 2],
    pub(super) allowance: Allowance,
    pub(super) entries: Mutex<BTreeMap<&'static str, [u64; 2]>>,
}

impl Shares {
    pub(super) fn count(&self, layer: &'static str, counts: [usize; 2]) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = entries.entry(layer).or_default();
        sum[0] += counts[0] as u64;
        sum[1] += counts[1] as u64;
    }
}
