//! Numbers and texts at fixed places of a piece of an image. A place outside of it is an error.

use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};

/// A piece of a layer with its offset.
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

/// Text of bytes that can be printed: UTF-8 stays, other bytes and control characters become `\xNN`.
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

/// Characters of the bytes in [`rest_text`].
const REST: usize = 64;

/// A short text for bytes that no metadata tells: what is not zero, as a name is printed, and a hash
/// of all. `None` if all are zero.
pub(crate) fn rest_text(bytes: &[u8]) -> Option<String> {
    let pieces: Vec<_> = bytes.split(|byte| *byte == 0).filter(|piece| !piece.is_empty()).collect();
    if pieces.is_empty() {
        return None;
    }
    let text: String = printable(&pieces.join(&b' ')).chars().take(REST).collect();
    Some(format!("{text} ({})", hex(&Sha256::digest(bytes)[..8])))
}

/// Bytes in lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
