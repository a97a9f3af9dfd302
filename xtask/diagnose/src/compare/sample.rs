//! The bytes that go with a difference, and how many of them there may be in all.

use super::{Broken, Of as _};
use crate::difference::{Sample, Side};
use diskimage::{Content, Shared};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of all samples together; a whole distribution may differ, and still a report must fit.
const ALL: u64 = 32 << 20;

/// Bytes of a sample when most of [`ALL`] is spent.
const SHORT: usize = 256;

/// Files up to this many bytes are read to their end for their hash.
const HASHED: u64 = 16 << 20;

/// Bytes of a window before the first difference.
const BEFORE: u64 = 4096;

/// What is left of [`ALL`].
pub(super) struct Allowance(AtomicU64);

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance(AtomicU64::new(ALL))
    }
}

impl Allowance {
    /// Samples of two files that differ first at `first`.
    pub(super) fn take(&self, contents: &[Content; 2], first: u64) -> Result<[Sample; 2], Broken> {
        let sources = contents.each_ref().map(Content::source);
        let sizes = [sources[0].size().of(Side::A)?, sources[1].size().of(Side::B)?];
        let longest = if self.0.load(Ordering::Relaxed) > 0 { Sample::LONGEST } else { SHORT };
        let whole = sizes[0].max(sizes[1]) <= longest as u64;
        let before = if longest == SHORT { SHORT as u64 / 4 } else { BEFORE };
        let start = if whole { 0 } else { first.saturating_sub(before) };
        let one = |side: Side| -> Result<Sample, Broken> {
            let source: &Shared = &sources[side as usize];
            let window = source.up_to(start, longest).of(side)?;
            let size = sizes[side as usize];
            let spent = Some(window.len() as u64);
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                spent.map(|spent| left.saturating_sub(spent))
            });
            let sha256 =
                if size <= HASHED { Some(diskimage::sha256(&**source).of(side)?) } else { None };
            Ok(Sample { size, sha256, first_difference: first, window_start: start, window })
        };
        Ok([one(Side::A)?, one(Side::B)?])
    }
}
