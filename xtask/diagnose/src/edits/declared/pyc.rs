//! Compiled Python (PEP 552): a magic number, flags, the source's mtime and size, then the code.

use super::field::{DeclaredField, PlacedContent, Region, le16, le32};
use xtask_core::calendar;

pub(super) fn regions(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let bytes = content.bytes;
    let timed = le16(bytes, 2)? == 0x0a0d && le32(bytes, 4)? == 0;
    // the code object that follows: marshal's type code, with or without its flag
    if !timed || bytes.get(16)? & 0x7f != b'c' {
        return None;
    }
    let time = i64::from(le32(bytes, 8)?);
    Some(vec![Region {
        range: 8..12,
        field: DeclaredField::PycTime(time),
        shown: calendar::utc(time),
    }])
}
