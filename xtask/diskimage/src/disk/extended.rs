//! Logical partitions: a chain of boot records in an extended partition, each with one partition and the
//! place of the next record.

use super::{LAYER, MbrPartition, SECTOR};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::source::Source;

/// Logical partitions of one disk; Linux takes 60.
const MOST: usize = 128;

/// Returns true for the type of an extended partition.
pub(super) fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0f | 0x85)
}

/// The logical partitions in an extended one.
pub(super) fn partitions(
    source: &dyn Source,
    extended: &MbrPartition,
) -> Result<Vec<MbrPartition>> {
    let end = extended.start.saturating_add(extended.len);
    let mut found = Vec::new();
    let mut at = extended.start;
    for _ in 0..MOST {
        let bytes = source.exactly(LAYER, at, SECTOR as usize)?;
        let r = Record::new(LAYER, at, &bytes);
        if r.slice(510, 2)? != [0x55, 0xaa] {
            return Err(r.error(510, "no boot record of a logical partition"));
        }
        let sectors = |at| -> Result<u64> { Ok(u64::from(r.le32(at)?) * SECTOR) };
        let (kind, start, len) = (r.u8(446 + 4)?, sectors(446 + 8)?, sectors(446 + 12)?);
        if kind != 0 {
            let start = at.saturating_add(start);
            found.push(MbrPartition { active: r.u8(446)? & 0x80 != 0, kind, start, len });
        }
        if !is_extended(r.u8(462 + 4)?) {
            return Ok(found);
        }
        let next = extended.start.saturating_add(sectors(462 + 8)?);
        // records lie one behind the other, so a chain ends
        if next <= at || next >= end {
            return Err(r.error(462, "the next logical partition lies outside, or before"));
        }
        at = next;
    }
    Err(Error::new(LAYER, at, format!("more than {MOST} logical partitions")))
}
