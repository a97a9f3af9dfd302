//! The bytes of directory entries that the tree does not tell: those of fields that mean nothing, and of
//! values that another writer would write otherwise.

use super::directory_entry::{DIRECTORY, ENTRY, VOLUME_ID, is_long_name};
use crate::dos_time;

/// Entries of a folder, one after the other.
#[derive(Default)]
pub(super) struct Untold {
    /// The parts of a long name that stand before its short one.
    parts: Vec<u8>,
    /// Number that the next part must have; 0 behind the last one.
    next: u8,
    /// True if some part is not as Linux reads one (fs/fat/dir.c, fat_parse_long).
    odd: bool,
}

impl Untold {
    /// Bytes of an entry that its listing does not tell; not of deleted entries, nor of those for a folder itself.
    pub(super) fn entry(&mut self, raw: &[u8]) -> Vec<u8> {
        if is_long_name(raw[11]) {
            self.part(raw);
            return Vec::new();
        }
        let sum = raw[..11].iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        let fits = self.parts.chunks_exact(ENTRY).all(|part| part[13] == sum);
        self.odd |= !fits || self.next > 0;
        let mut rest = self.long_name();
        rest.extend(short(raw));
        rest
    }

    /// The parts up to now, unless they are told as the long name of a file.
    pub(super) fn long_name(&mut self) -> Vec<u8> {
        // no short name has come for it
        let odd = self.odd || self.next > 0;
        let parts = std::mem::take(self).parts;
        if odd { parts } else { Vec::new() }
    }

    fn part(&mut self, raw: &[u8]) {
        let (last, number) = (raw[0] & 0x40 != 0, raw[0] & !0x40);
        self.odd |= if last { !self.parts.is_empty() } else { number != self.next };
        self.odd |= !(1..=20).contains(&number);
        self.next = number.wrapping_sub(1);
        // type and cluster must be zero
        self.odd |= raw[11] != 0x0f || raw[12] != 0 || raw[26..28] != [0, 0];
        let places = [1..11, 14..26, 28..32];
        let units: Vec<u16> = places
            .into_iter()
            .flat_map(|place| raw[place].chunks_exact(2))
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        // only the last part ends, and is filled up
        let end = units.iter().position(|unit| *unit == 0);
        let (text, filling) = units.split_at(end.unwrap_or(units.len()));
        self.odd |= end.is_some() && !last;
        self.odd |= filling.iter().skip(1).any(|unit| *unit != 0xffff);
        self.odd |= String::from_utf16(text).is_err();
        self.parts.extend_from_slice(raw);
    }
}

/// The bytes of an entry with a short name that are not told.
fn short(raw: &[u8]) -> Vec<u8> {
    let word = |at: usize| u16::from_le_bytes([raw[at], raw[at + 1]]);
    let mut told = vec![0..11, 20..22, 26..28, 28..32];
    let odd = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_whitespace() && *byte != b' ';
    if raw[..11].iter().any(odd) {
        told.remove(0);
    }
    let (folder, label) = (raw[11] & DIRECTORY != 0, raw[11] & VOLUME_ID != 0);
    let size = u32::from(word(28)) | u32::from(word(30)) << 16;
    // an empty file is nowhere, a folder has no size, a label is no file
    if label || size == 0 && !folder {
        told.retain(|place| !matches!(place.start, 20 | 26));
    }
    if label || folder {
        told.retain(|place| place.start != 28);
    }
    if dos_time::seconds(word(16), word(14)).is_some() {
        told.push(13..18);
    }
    if dos_time::seconds(word(18), 0).is_some() {
        told.push(18..20);
    }
    if dos_time::seconds(word(24), word(22)).is_some() {
        told.push(22..26);
    }
    let mut rest = raw.to_vec();
    told.into_iter().for_each(|place| rest[place].fill(0));
    // attributes are told, but not of a label
    rest[11] = if label { raw[11] ^ VOLUME_ID } else { 0 };
    // a name and an extension in lower case
    let letters = |name: &[u8]| !label && name.iter().any(u8::is_ascii_alphabetic);
    for (bit, name) in [(0x08, &raw[..8]), (0x10, &raw[8..11])] {
        rest[12] &= if letters(name) { !bit } else { 0xff };
    }
    rest
}
