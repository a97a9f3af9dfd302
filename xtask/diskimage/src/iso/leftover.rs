//! The bytes of directory records, volume descriptors and the boot catalogue that neither metadata
//! nor fields tell.
//!
//! Every value that is told is encoded again; where the image has these very bytes they are
//! cleared. The rest is compared as bytes: unknown system use entries, a big-endian copy that says
//! another number, padding that is not zero.

use super::date;
use super::record::{self, DirectoryRecord, RecordReader};
use super::sector::{LAYER, SECTOR};
use super::volume::{NAMES, name_text, stored};
use crate::budget::{Budget, Held};
use crate::error::Result;
use crate::source::Source;
use std::collections::HashSet;
use std::sync::Arc;

pub(super) struct Leftover {
    bytes: Vec<u8>,
    /// Index, name and length of the records of folders themselves and of their parents. A writer makes them
    /// alike: each is kept once, however many folders there are.
    dots: HashSet<(u64, Vec<u8>, u64)>,
    held: Held,
}

/// A number in both byte orders (ECMA-119, 7.3.3).
fn both32(number: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Clears bytes that are as expected.
fn clear(bytes: &mut [u8], at: usize, expected: &[u8]) {
    if let Some(there) = bytes.get_mut(at..at + expected.len())
        && there == expected
    {
        there.fill(0);
    }
}

/// Clears a number of four bytes that is followed by its big-endian copy.
fn clear_pair(bytes: &mut [u8], at: usize) {
    if let Some(little) = bytes.get(at..at + 4) {
        let number = u32::from_le_bytes([little[0], little[1], little[2], little[3]]);
        clear(bytes, at, &both32(number));
    }
}

/// Clears a time that was told; its zone is not, so it stays unless it is UTC.
fn clear_time(bytes: &mut [u8], told: Option<i64>) {
    let time = match bytes.len() {
        17 => date::long(bytes).filter(|(_, hundredths, _)| *hundredths == 0).map(|t| t.0),
        _ => date::short(bytes),
    };
    let zone = bytes.len() - 1;
    if told.is_some() && time == told {
        bytes[..zone].fill(0);
    }
}

/// Clears a name of a volume, and the blanks behind it: any other filling leaves something.
fn name(bytes: &mut [u8], joliet: bool) {
    let text = name_text(bytes, joliet);
    let used = if joliet { 2 * text.encode_utf16().count() } else { stored(bytes).len() };
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = match () {
            () if i < used => 0,
            // of UCS-2 the second byte is the blank
            () if joliet && i % 2 == 0 => *byte,
            () => *byte ^ b' ',
        };
    }
}

/// Clears what is told of the application use area: its text, the blanks behind it, or zeros alone.
fn application_use(bytes: &mut [u8]) {
    let used = stored(bytes).len();
    let (text, filling) = bytes.split_at_mut(used);
    text.fill(0);
    if !text.is_empty() || filling.iter().any(|byte| *byte != 0) {
        filling.iter_mut().for_each(|byte| *byte ^= b' ');
    }
}

impl Leftover {
    pub(super) fn new(budget: &Arc<Budget>) -> Result<Leftover> {
        Ok(Leftover { bytes: Vec::new(), dots: HashSet::new(), held: budget.hold(LAYER, 0, 0)? })
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn keep(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.iter().any(|byte| *byte != 0) {
            self.held.grow(LAYER, offset, bytes.len() as u64)?;
            self.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// The padding behind the records of a sector.
    pub(super) fn padding(&mut self, source: &dyn Source, from: u64, to: u64) -> Result<()> {
        let len = to.saturating_sub(from).min(SECTOR) as usize;
        self.keep(from, &source.up_to(from, len)?)
    }

    /// The record of a folder or of its parent in the folder, the first or the second one; `told` is the entry
    /// whose values the tree tells.
    pub(super) fn dots(
        &mut self,
        index: u64,
        records: &RecordReader<'_>,
        entry: &DirectoryRecord,
        told: &DirectoryRecord,
    ) -> Result<()> {
        let mut bytes = of_record(records, entry, told, true)?;
        if self.dots.insert((index, entry.name.clone(), entry.len)) {
            bytes.extend(&entry.name);
            bytes[0] = entry.len as u8;
        }
        self.keep(entry.offset, &bytes)
    }

    /// A sector of the volume descriptors. `told`: it is one whose fields are told.
    pub(super) fn volume_descriptor(&mut self, sector: &[u8], told: bool) -> Result<()> {
        let mut bytes = sector.to_vec();
        let kind = bytes[0];
        clear(&mut bytes, 1, b"CD001\x01");
        match kind {
            0 if sector[7..].starts_with(b"EL TORITO SPECIFICATION") => {
                bytes[7..30].fill(0);
                bytes[0x47..0x4b].fill(0);
            }
            1 | 2 if told => {
                bytes[0] = 0;
                clear(&mut bytes, 88, b"%/E");
                for at in [120, 124] {
                    clear(&mut bytes, at, &[1, 0, 0, 1]);
                }
                clear(&mut bytes, 128, &[0, 8, 8, 0]);
                bytes[881] ^= 1;
                // names and the application use area are told, but not how they are filled up
                for (_, at, len) in NAMES {
                    name(&mut bytes[at..at + len], kind == 2);
                }
                application_use(&mut bytes[883..1395]);
                for at in [80, 132] {
                    clear_pair(&mut bytes, at);
                }
                // the places of path tables, and the dates
                bytes[140..156].fill(0);
                bytes[813..881].fill(0);
                // the record of the root
                bytes[156] ^= 34;
                clear_pair(&mut bytes, 158);
                clear_pair(&mut bytes, 166);
                let told = date::short(&bytes[174..181]);
                clear_time(&mut bytes[174..181], told);
                // a folder, with a name of one byte
                bytes[181] ^= 0x02;
                bytes[188] ^= 1;
                clear(&mut bytes, 184, &[1, 0, 0, 1]);
            }
            255 => bytes[0] = 0,
            _ => {}
        }
        self.keep(0, &bytes)
    }

    /// A path table that says something else than the tree does: its place, which no field tells.
    pub(super) fn path_table(&mut self, start: u64) -> Result<()> {
        self.keep(start, &start.to_le_bytes())
    }

    /// The boot catalogue.
    pub(super) fn catalogue(&mut self, sector: &[u8]) -> Result<()> {
        let mut bytes = sector.to_vec();
        let sum = sector[..32]
            .chunks_exact(2)
            .fold(0_u16, |sum, pair| sum.wrapping_add(u16::from_le_bytes([pair[0], pair[1]])));
        if sum == 0 {
            bytes[..32].fill(0);
        }
        for (index, entry) in bytes.chunks_exact_mut(32).enumerate().skip(1) {
            let header = matches!(entry[0], 0x90 | 0x91);
            if !header && (index == 1 || entry[0] == 0x88 || entry[0] == 0) {
                // told as fields: see el_torito.rs
                entry[0] = 0;
                entry[1] &= !0x0f;
                entry[2..4].fill(0);
                entry[6..12].fill(0);
                entry[12..].fill(0);
            }
        }
        self.keep(0, &bytes)
    }
}

/// The leftover of a directory record and its continuation areas. `told` is the entry whose values
/// the tree tells: the entry itself, or for the first two records of a folder (`dots`) the folder's
/// and its parent's.
pub(super) fn of_record(
    records: &RecordReader<'_>,
    entry: &DirectoryRecord,
    told: &DirectoryRecord,
    dots: bool,
) -> Result<Vec<u8>> {
    let mut bytes = records.source.exactly(LAYER, entry.offset, entry.len as usize)?;
    // the length led to the next record
    bytes[0] = 0;
    let sector = u32::try_from(told.extent.0 / SECTOR).unwrap_or(0);
    let attributes = u32::from(bytes[1]);
    clear(&mut bytes, 2, &both32(sector.wrapping_sub(attributes)));
    clear(&mut bytes, 10, &both32(told.extent.1 as u32));
    clear_time(&mut bytes[18..25], told.recorded);
    clear(&mut bytes, 28, &[1, 0, 0, 1]);
    let name_len = entry.name.len();
    if dots {
        bytes[25] ^= 0x02;
    } else {
        // the kind is told
        bytes[25] &= !0x82;
    }
    bytes[32] = 0;
    bytes[33..33 + name_len].fill(0);
    if let Some(skip) = records.skip {
        let start = record::system_use(name_len, skip).min(bytes.len());
        area(&mut bytes[start..], told, dots);
    }
    for (offset, len) in &entry.rock.areas {
        let mut more = records.source.exactly(LAYER, *offset, *len as usize)?;
        area(&mut more, told, dots);
        bytes.extend(more);
    }
    Ok(bytes)
}

/// Clears the told values of a system use area.
fn area(bytes: &mut [u8], told: &DirectoryRecord, dots: bool) {
    let rock = &told.rock;
    let mut at = 0;
    while at + 4 <= bytes.len() {
        let len = usize::from(bytes[at + 2]);
        if len < 4 || at + len > bytes.len() {
            return;
        }
        let entry = &mut bytes[at..at + len];
        at += len;
        let name = [entry[0], entry[1]];
        let known = match &name {
            b"SP" => {
                let known = len == 7 && entry[4..6] == [0xbe, 0xef];
                entry[4..].fill(if known { 0 } else { 1 });
                known
            }
            b"CE" if len == 28 => {
                [4, 12, 20].into_iter().for_each(|at| clear_pair(entry, at));
                true
            }
            b"PX" => {
                let values = rock.posix.map(|(mode, links, uid, gid)| [mode, links, uid, gid]);
                for (index, value) in values.into_iter().flatten().enumerate() {
                    clear(entry, 4 + 8 * index, &both32(value));
                }
                true
            }
            b"PN" => {
                let word = |at: usize| {
                    let bytes = entry.get(at..at + 4)?.try_into().ok()?;
                    Some(u32::from_le_bytes(bytes))
                };
                if word(4).zip(word(12)).map(|(high, low)| record::device(high, low)) == rock.device
                {
                    clear_pair(entry, 4);
                    clear_pair(entry, 12);
                }
                true
            }
            b"NM" if !dots => {
                entry[5.min(len)..].fill(0);
                true
            }
            b"SL" if !dots => {
                if has_known_components(&entry[5.min(len)..]) {
                    entry[5.min(len)..].fill(0);
                }
                true
            }
            b"TF" if len > 4 => {
                times(entry, told);
                true
            }
            b"CL" => {
                let sector = rock.moved_to.and_then(|sector| u32::try_from(sector).ok());
                sector.into_iter().for_each(|sector| clear(entry, 4, &both32(sector)));
                true
            }
            b"RE" => rock.moved_here,
            _ => false,
        };
        if known && entry[3] == 1 {
            entry[..4].fill(0);
        }
    }
}

/// Returns true if Linux reads the components of a link's target as they are told (fs/isofs/rock.c): it drops
/// one with other flags.
fn has_known_components(mut components: &[u8]) -> bool {
    while let [flags, len, rest @ ..] = components {
        let named = matches!(flags, 0 | 1);
        let special = matches!(flags, 2 | 4 | 8) && *len == 0;
        let Some(rest) = rest.get(usize::from(*len)..).filter(|_| named || special) else {
            return false;
        };
        components = rest;
    }
    components.is_empty()
}

/// Clears the times of a `TF` entry.
fn times(entry: &mut [u8], told: &DirectoryRecord) {
    let flags = entry[4];
    let len = if flags & 0x80 != 0 { 17 } else { 7 };
    let mut at = 5;
    for bit in 0..7 {
        if flags & (1 << bit) == 0 {
            continue;
        }
        let Some(bytes) = entry.get_mut(at..at + len) else { return };
        clear_time(bytes, told.rock.times.get(bit).copied().flatten());
        at += len;
    }
    entry[4] = 0;
}
