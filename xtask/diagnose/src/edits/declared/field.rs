//! The fields that formats declare, and the ranges of a content that hold them.

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
    /// erofs: UUID of the file system.
    FileSystemId,
    /// erofs: time at which the file system was made.
    FileSystemTime,
}

impl Declared {
    /// Returns true if the value was verified to follow from everything else.
    pub(crate) fn follows(self) -> bool {
        matches!(self, Declared::BootPosition | Declared::Checksum)
    }
}

/// A range of a content, and the field that it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Region {
    pub(super) range: Range<usize>,
    pub(super) field: DeclaredField,
    /// The value as a person reads it.
    pub(super) shown: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum DeclaredField {
    PycTime(i64),
    KeystoreTime(i64),
    BuildId,
    DebugLink,
    /// With a hash of its signer, if the same signer makes the same signature of the same module.
    ModuleSignature(Option<[u8; 32]>),
    BootPosition,
    Checksum,
    HfsPlusSerial,
    DescriptorCopy,
    FileSystemId,
    FileSystemTime,
}

/// The place of a content.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placed {
    /// Offset in an ISO, if it lies there as it is.
    pub(crate) offset: Option<u64>,
    /// True if it lies between the files of an ISO.
    pub(crate) between_files: bool,
}

/// A content and its place.
#[derive(Clone, Copy)]
pub(super) struct PlacedContent<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) placed: Placed,
}

/// Numbers at fixed places of a content; `None` where it ends before.
pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
pub(super) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    le32(bytes, at).map(u32::swap_bytes)
}

/// Bytes in hexadecimal, the first of them.
pub(super) fn shown(bytes: &[u8]) -> String {
    bytes.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}
