//! Volume headers of HFS+ (Apple TN1150), which xorriso puts between the files of an ISO.

use super::field::{DeclaredField, PlacedContent, Region, shown};
use memchr::memmem;

/// Signature, version 4, attributes, and who mounted it last: libisofs.
const MAGIC: &[u8] = b"H+\0\x04\0\0\x81\0liso";

/// Offset of the last two of the eight numbers for the Finder: the volume's id.
const SERIAL: usize = 80 + 24;

/// Bytes of a header up to there; what follows may be zeros.
const LEN: usize = 112;

pub(super) fn regions(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let bytes = content.bytes;
    if !content.placed.between_files {
        return None;
    }
    // the header and its copy at the end
    let found = memmem::find_iter(bytes, MAGIC).filter(|at| at + LEN <= bytes.len()).take(2);
    let regions: Vec<Region> = found
        .map(|at| {
            let range = at + SERIAL..at + SERIAL + 8;
            Region {
                shown: shown(&bytes[range.clone()]),
                range,
                field: DeclaredField::HfsPlusSerial,
            }
        })
        .collect();
    (!regions.is_empty()).then_some(regions)
}
