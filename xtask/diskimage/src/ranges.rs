//! The ranges of a container that something describes.

use crate::error::{Error, Result};

/// Ranges of one container that are remembered; a live image has some hundred files.
const RANGES: usize = 1 << 20;

/// The ranges of a container that something describes, as (offset, bytes). Everything else is a gap.
pub(crate) struct DescribedRanges {
    pub(crate) layer: &'static str,
    ranges: Vec<(u64, u64)>,
}

impl DescribedRanges {
    pub(crate) fn new(layer: &'static str) -> DescribedRanges {
        DescribedRanges { layer, ranges: Vec::new() }
    }

    /// Adds a range that was read and is told: a file's bytes, or a table that was understood to its
    /// end. A length that the image merely claims must not be added.
    pub(crate) fn add(&mut self, start: u64, len: u64) -> Result<()> {
        if self.ranges.len() == RANGES {
            return Err(Error::new(self.layer, start, "more extents than can be accounted for"));
        }
        self.ranges.push((start, len));
        Ok(())
    }

    /// The gaps from `from` up to `to`, as (offset, bytes).
    pub(crate) fn gaps(&mut self, from: u64, to: u64) -> Vec<(u64, u64)> {
        self.ranges.sort_unstable();
        let mut gaps = Vec::new();
        let mut at = from;
        for (start, len) in &self.ranges {
            if *start >= to {
                break;
            }
            if *start > at {
                gaps.push((at, start - at));
            }
            at = at.max(start.saturating_add(*len));
        }
        if at < to {
            gaps.push((at, to - at));
        }
        gaps
    }
}
