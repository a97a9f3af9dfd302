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

/// Text of bytes that can be printed: UTF-8 stays, other bytes and control characters become `\xNN`. Two names
/// never have one text: a backslash that would begin such a text by itself is `\x5c`.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        for (at, c) in valid.char_indices() {
            if c.is_control() || (c == '\\' && looks_escaped(&valid.as_bytes()[at + 1..])) {
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

/// UTF-8 of UTF-16. Half a pair, which is no character, becomes bytes that are no UTF-8, so that two names stay two.
pub(crate) fn utf8_of(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len());
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            Err(half) => {
                let half = half.unpaired_surrogate();
                let parts = [0xe0 | half >> 12, 0x80 | half >> 6 & 0x3f, 0x80 | half & 0x3f];
                bytes.extend(parts.map(|part| part as u8));
            }
        }
    }
    bytes
}

/// Returns true if a backslash before this text would read as the byte that [`printable`] writes so.
fn looks_escaped(rest: &[u8]) -> bool {
    let [b'x', high, low, ..] = rest else { return false };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    // systemd's names hold `\x2d`: no byte that can be printed is written so
    let byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low);
    byte.is_some_and(|byte| byte.is_ascii_control() || !byte.is_ascii() || byte == b'\\')
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn two_names_never_have_one_text() {
        let bytes = [b'\\', b'x', b'5', b'c', b'0', b'1', 1, 0x7f, 0xc2, 0x80];
        let mut names = HashMap::new();
        for length in 0..=6 {
            for mut n in 0..bytes.len().pow(length) {
                let mut name = Vec::new();
                for _ in 0..length {
                    name.push(bytes[n % bytes.len()]);
                    n /= bytes.len();
                }
                let other = names.insert(printable(&name), name.clone());
                assert_eq!(other, None, "{name:?}");
            }
        }
    }

    #[test]
    fn half_a_pair_of_utf16_stays_what_it_is() {
        assert_eq!(utf8_of(&[0x61, 0x20ac, 0xd83d, 0xde00]), "a€😀".as_bytes());
        assert_ne!(utf8_of(&[0xd800]), utf8_of(&[0xd801]));
        assert_eq!(printable(&utf8_of(&[0xdc00])), "\\xed\\xb0\\x80");
    }

    #[test]
    fn a_name_of_systemd_stays_as_it_is() {
        assert_eq!(printable(b"dev-disk-by\\x2duuid.swap"), "dev-disk-by\\x2duuid.swap");
        assert_eq!(printable(b"a\\x01 and a\x01"), "a\\x5cx01 and a\\x01");
    }
}
