//! Fields that the format of a content declares as a time, an id, a signature or a position.
//!
//! A reader names the ranges of such fields. They are replaced in A by what B has there; what then
//! still differs is told as edits like any other. So a declared field never hides a byte beside it.

mod elf;
mod hfsplus;
mod iso;
mod keystore;
mod pyc;

use super::{Changes, Edit, Edited};
use std::ops::Range;

/// A field that a format declares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Declared {
    /// PEP 552: time of the source that was compiled, seconds since 1970 on both sides.
    PycTime(i64, i64),
    /// Java keystore: time at which an entry was added.
    KeystoreTime(i64, i64),
    /// ELF: hash that the linker made of its output, debug information included.
    BuildId,
    /// ELF: checksum of the file that the debug information was moved to.
    DebugLink,
    /// Linux: signature behind a kernel module.
    ModuleSignature,
    /// ISO 9660: place, length and sum of a boot image or of its catalogue, verified on both sides.
    BootPosition,
    /// Hash of the rest of the content, verified on both sides.
    Checksum,
    /// Zeros behind the end of one side.
    Padding,
    /// HFS+: serial number in the volume header.
    HfsPlusSerial,
    /// ISO 9660: number of sectors, or a date, in a copy of the volume descriptor.
    DescriptorCopy,
}

impl Declared {
    /// Returns true if the value was verified to follow from everything else.
    pub(crate) fn follows(self) -> bool {
        matches!(self, Declared::BootPosition | Declared::Checksum)
    }
}

/// A range of a content, and the field that it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Region {
    range: Range<usize>,
    field: Field,
    /// The value as a person reads it.
    shown: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field {
    PycTime(i64),
    KeystoreTime(i64),
    BuildId,
    DebugLink,
    ModuleSignature,
    BootPosition,
    Checksum,
    HfsPlusSerial,
    DescriptorCopy,
}

/// A content, and its offset in the image if it lies there as it is.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    bytes: &'a [u8],
    offset: Option<u64>,
}

type Reader = fn(&Content<'_>) -> Option<Vec<Region>>;

/// Each finds its ranges in order; `None` if the content is in another format.
const READERS: [Reader; 7] = [
    elf::regions,
    pyc::regions,
    keystore::regions,
    iso::catalogue,
    iso::boot_info,
    hfsplus::regions,
    iso::descriptor_copy,
];

/// A with every declared field replaced by B's; `None` if no format declares any.
pub(super) fn substituted(
    a: &[u8],
    b: &[u8],
    offsets: [Option<u64>; 2],
    changes: &mut Changes,
) -> Option<Vec<u8>> {
    let contents = [(a, offsets[0]), (b, offsets[1])];
    let contents = contents.map(|(bytes, offset)| Content { bytes, offset });
    for reader in READERS {
        let [Some(in_a), Some(in_b)] = contents.each_ref().map(reader) else { continue };
        let pairs = || in_a.iter().zip(&in_b);
        let alike =
            in_a.len() == in_b.len() && pairs().all(|(x, y)| pair(x.field, y.field).is_some());
        if !alike {
            continue;
        }
        let mut out = Vec::with_capacity(a.len());
        let mut at = 0;
        for (x, y) in pairs() {
            out.extend(a.get(at..x.range.start)?);
            out.extend(&b[y.range.clone()]);
            at = x.range.end;
            if let Some(declared) = pair(x.field, y.field)
                && a[x.range.clone()] != b[y.range.clone()]
            {
                changes.add(Edit {
                    what: Edited::Declared(declared),
                    a: x.shown.clone(),
                    b: y.shown.clone(),
                    before: String::new(),
                    after: String::new(),
                    in_text: false,
                });
            }
        }
        out.extend(a.get(at..)?);
        return Some(out);
    }
    None
}

/// The substitution of one field by the other; `None` if they are not of a kind.
fn pair(a: Field, b: Field) -> Option<Declared> {
    Some(match (a, b) {
        (Field::PycTime(a), Field::PycTime(b)) => Declared::PycTime(a, b),
        (Field::KeystoreTime(a), Field::KeystoreTime(b)) => Declared::KeystoreTime(a, b),
        (Field::BuildId, Field::BuildId) => Declared::BuildId,
        (Field::DebugLink, Field::DebugLink) => Declared::DebugLink,
        (Field::ModuleSignature, Field::ModuleSignature) => Declared::ModuleSignature,
        (Field::BootPosition, Field::BootPosition) => Declared::BootPosition,
        (Field::Checksum, Field::Checksum) => Declared::Checksum,
        (Field::DescriptorCopy, Field::DescriptorCopy) => Declared::DescriptorCopy,
        (Field::HfsPlusSerial, Field::HfsPlusSerial) => Declared::HfsPlusSerial,
        _ => return None,
    })
}

/// Numbers at fixed places of a content; `None` where it ends before.
fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    le32(bytes, at).map(u32::swap_bytes)
}

/// Bytes in hexadecimal, the first of them.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}
