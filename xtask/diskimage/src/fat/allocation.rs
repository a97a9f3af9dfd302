//! The file allocation table: chains of clusters (section 4 of the specification).

use super::boot_sector::{BootSector, LAYER};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::source::Source;

/// Work that following one link of a chain counts as, in bytes.
const STEP: u64 = 64;

/// Offset in the table and bytes of the entry of a cluster.
fn entry_place(bits: u8, cluster: u32) -> (u64, usize) {
    match bits {
        12 => (u64::from(cluster) * 3 / 2, 2),
        16 => (u64::from(cluster) * 2, 2),
        _ => (u64::from(cluster) * 4, 4),
    }
}

/// The entry of a cluster in the bytes at its place.
fn entry_value(bits: u8, cluster: u32, r: &Record<'_>) -> Result<u32> {
    Ok(match bits {
        12 => {
            let pair = u32::from(r.le16(0)?);
            if cluster.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 }
        }
        16 => u32::from(r.le16(0)?),
        _ => r.le32(0)? & 0x0fff_ffff,
    })
}

/// The cluster after another one; `None`: it is the last.
fn next(shape: &BootSector, source: &dyn Source, cluster: u32) -> Result<Option<u32>> {
    let (at, len) = entry_place(shape.bits, cluster);
    if at + len as u64 > shape.fat_len {
        let why = format!("cluster {cluster} is not in the table");
        return Err(Error::new(LAYER, shape.fat, why));
    }
    let bytes = source.exactly(LAYER, shape.fat + at, len)?;
    let next = entry_value(shape.bits, cluster, &Record::new(LAYER, shape.fat + at, &bytes))?;
    let last = match shape.bits {
        12 => 0xff8,
        16 => 0xfff8,
        _ => 0x0fff_fff8,
    };
    Ok((next < last).then_some(next))
}

/// Calls `each` with the clusters from `first` on, until they hold `most` bytes.
pub(super) fn chain(
    shape: &BootSector,
    source: &dyn Source,
    budget: &Budget,
    first: u32,
    most: u64,
    each: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<()> {
    let mut cluster = first;
    let mut bytes = 0;
    // Brent's algorithm: a chain that returns to the cluster kept here is a loop
    let (mut kept, mut steps, mut limit) = (first, 0_u64, 1_u64);
    loop {
        if cluster < 2 || cluster - 2 >= shape.clusters {
            let why = format!("cluster {cluster} of {}", shape.clusters);
            return Err(Error::new(LAYER, shape.fat, why));
        }
        budget.unpack(LAYER, shape.fat, STEP)?;
        each(cluster)?;
        bytes += shape.cluster;
        match next(shape, source, cluster)? {
            Some(following) if bytes < most => cluster = following,
            _ => return Ok(()),
        }
        if cluster == kept {
            return Err(Error::new(LAYER, shape.fat, "a chain of clusters that loops"));
        }
        steps += 1;
        if steps == limit {
            (kept, steps, limit) = (cluster, 0, 2 * limit);
        }
    }
}

/// Offsets and bytes of the clusters from `first` on, until they hold `most` bytes.
pub(super) fn extents(
    shape: &BootSector,
    source: &dyn Source,
    budget: &Budget,
    first: u32,
    most: u64,
) -> Result<Vec<(u64, u64)>> {
    let mut extents: Vec<(u64, u64)> = Vec::new();
    chain(shape, source, budget, first, most, &mut |cluster| {
        let offset = shape.offset(cluster);
        match extents.last_mut() {
            Some((start, len)) if *start + *len == offset => *len += shape.cluster,
            _ => extents.push((offset, shape.cluster)),
        }
        Ok(())
    })?;
    Ok(extents)
}

/// The entries of a table that belong to no cluster in `used`, as pairs of little-endian numbers:
/// cluster and entry. The first two entries hold flags, not clusters.
pub(super) fn leftover(shape: &BootSector, table: &[u8], used: &dyn Fn(u32) -> bool) -> Vec<u8> {
    let mut leftover = Vec::new();
    for cluster in 0..shape.clusters.saturating_add(2) {
        let (at, len) = entry_place(shape.bits, cluster);
        let Some(bytes) = table.get(at as usize..at as usize + len) else { break };
        let entry = entry_value(shape.bits, cluster, &Record::new(LAYER, at, bytes)).unwrap_or(0);
        if entry != 0 && (cluster < 2 || !used(cluster)) {
            leftover.extend(cluster.to_le_bytes());
            leftover.extend(entry.to_le_bytes());
        }
    }
    leftover
}
