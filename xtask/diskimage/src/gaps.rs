//! The bytes of a container that belong to no file and no table: gaps, trailers, boot code.

use crate::budget::Budget;
use crate::error::Result;
use crate::ranges::DescribedRanges;
use crate::source::{Extents, Shared, used};
use crate::tree::Part;
use std::sync::Arc;

impl DescribedRanges {
    /// The gaps from `from` up to `to` that hold more than zeros, as one part.
    pub(crate) fn part(
        &mut self,
        name: &str,
        source: &Shared,
        budget: &Arc<Budget>,
        from: u64,
        to: u64,
    ) -> Result<Option<Part>> {
        let mut kept = Vec::new();
        for (start, len) in self.gaps(from, to) {
            budget.unpack(self.layer, start, len)?;
            if let Some(used) = used(&**source, start, len)? {
                kept.push((Some(start), used));
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        let bytes = Extents::new(source.clone(), self.layer, budget.clone(), kept);
        Ok(Some(Part::bytes(name, None, Arc::new(bytes))))
    }
}
