//! Directory entries with short and long names (sections 6 and 7 of the specification).

use crate::dos_time;
use crate::error::Result;
use crate::record::{Record, utf8_of};

/// Bytes of a directory entry.
pub(super) const ENTRY: usize = 32;

/// Attribute bits.
pub(super) const VOLUME_ID: u8 = 0x08;
pub(super) const DIRECTORY: u8 = 0x10;

/// `true` for the attributes of an entry that holds a part of a long name.
pub(super) fn is_long_name(attributes: u8) -> bool {
    attributes & 0x3f == 0x0f
}

/// A directory entry with the short name.
pub(super) struct DirectoryEntry {
    pub(super) name: Vec<u8>,
    pub(super) attributes: u8,
    /// First cluster of the content.
    pub(super) cluster: u32,
    /// Bytes of the content; 0 for a folder.
    pub(super) size: u32,
    /// Times in seconds since 1970, without a time zone.
    pub(super) created: Option<i64>,
    /// Hundredths of a second after it was created, to 199.
    pub(super) hundredths: u8,
    pub(super) accessed: Option<i64>,
    pub(super) modified: Option<i64>,
}

impl DirectoryEntry {
    pub(super) fn read(r: &Record<'_>) -> Result<DirectoryEntry> {
        let mut base = r.slice(0, 8)?.trim_ascii_end().to_vec();
        let mut extension = r.slice(8, 3)?.trim_ascii_end().to_vec();
        if base.first() == Some(&0x05) {
            base[0] = 0xe5;
        }
        // Windows NT: bit 3 means a name in lower case, bit 4 an extension in lower case
        let case = r.u8(12)?;
        if case & 0x08 != 0 {
            base.make_ascii_lowercase();
        }
        if case & 0x10 != 0 {
            extension.make_ascii_lowercase();
        }
        let mut name = base;
        if !extension.is_empty() {
            name.push(b'.');
            name.extend(extension);
        }
        Ok(DirectoryEntry {
            name,
            attributes: r.u8(11)?,
            cluster: u32::from(r.le16(20)?) << 16 | u32::from(r.le16(26)?),
            size: r.le32(28)?,
            created: dos_time::seconds(r.le16(16)?, r.le16(14)?),
            hundredths: r.u8(13)?,
            accessed: dos_time::seconds(r.le16(18)?, 0),
            modified: dos_time::seconds(r.le16(24)?, r.le16(22)?),
        })
    }
}

/// The parts of a long name, which stand before the short name, last part first.
#[derive(Default)]
pub(super) struct LongName {
    units: Vec<u16>,
    checksum: Option<u8>,
}

impl LongName {
    pub(super) fn add(&mut self, r: &Record<'_>) -> Result<()> {
        if r.u8(0)? & 0x40 != 0 {
            *self = LongName::default();
        }
        let mut units = Vec::with_capacity(13 + self.units.len());
        for (at, len) in [(1, 10), (14, 12), (28, 4)] {
            let pairs = r.slice(at, len)?.chunks_exact(2);
            units.extend(pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])));
        }
        units.append(&mut self.units);
        // the format has 20 parts at most
        units.truncate(20 * 13);
        self.units = units;
        self.checksum = Some(r.u8(13)?);
        Ok(())
    }

    /// The long name, if its checksum is that of the short name.
    pub(super) fn take(&mut self, short: &[u8]) -> Option<Vec<u8>> {
        let long = std::mem::take(self);
        let sum = short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if long.checksum != Some(sum) {
            return None;
        }
        let end = long.units.iter().position(|unit| *unit == 0).unwrap_or(long.units.len());
        Some(utf8_of(&long.units[..end]))
    }
}
