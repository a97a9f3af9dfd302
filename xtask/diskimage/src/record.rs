//! Numbers and texts at fixed places of a piece of an image; what lies outside is an error, not a panic.

use crate::error::{Error, Result};

/// Some bytes, and where they come from.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) layer: &'static str,
    /// Offset of the first byte in the layer.
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn new(layer: &'static str, offset: u64, bytes: &'a [u8]) -> Record<'a> {
        Record { layer, offset, bytes }
    }

    pub(crate) fn error(&self, at: usize, why: impl Into<String>) -> Error {
        Error::new(self.layer, self.offset.saturating_add(at as u64), why)
    }

    pub(crate) fn slice(&self, at: usize, len: usize) -> Result<&'a [u8]> {
        at.checked_add(len).and_then(|end| self.bytes.get(at..end)).ok_or_else(|| {
            self.error(
                at,
                format!("{len} bytes wanted, {} there", self.bytes.len().saturating_sub(at)),
            )
        })
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(at, N)?);
        Ok(array)
    }

    pub(crate) fn u8(&self, at: usize) -> Result<u8> {
        Ok(self.array::<1>(at)?[0])
    }

    pub(crate) fn le16(&self, at: usize) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    pub(crate) fn le32(&self, at: usize) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(crate) fn le64(&self, at: usize) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }
}

/// Bytes as a name that can be printed: UTF-8 as it is, other bytes and control characters as `\xNN`.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                let mut utf8 = [0; 4];
                for byte in c.encode_utf8(&mut utf8).bytes() {
                    text.push_str(&format!("\\x{byte:02x}"));
                }
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Bytes in lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
