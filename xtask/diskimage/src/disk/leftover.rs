//! The bytes of partition tables that no field tells.

use super::{Disk, Gpt, LAYER, MbrPartition, SECTOR};
use crate::error::Result;
use crate::source::Source;
use flate2::Crc;

impl Disk {
    /// Everything in the tables but what fields tell, checksums that are right, and the backup of the
    /// GPT where it repeats the first one.
    pub(crate) fn leftover(&self, source: &dyn Source) -> Result<Vec<u8>> {
        let mut rest = source.exactly(LAYER, 440, 72)?;
        // the signature, and the mark of the end
        rest[..4].fill(0);
        rest[70..].fill(0);
        let mut told = self.mbr.iter();
        for index in 0..4 {
            let entry = &mut rest[6 + index * 16..][..16];
            if entry[4] != 0 || entry[12..] != [0; 4] {
                mbr_entry(entry, told.next());
            }
        }
        let Some(gpt) = &self.gpt else { return Ok(trimmed(rest)) };
        let first = header(source, SECTOR, gpt)?;
        rest.extend(&first);
        let (start, len) = gpt.table;
        let table = source.exactly(LAYER, start, len as usize)?;
        rest.extend(entries(&table, gpt));
        // the backup repeats both; its own places are other ones
        let backup = header(source, gpt.backup, gpt)?;
        if backup != first {
            rest.extend(backup);
        }
        let copy = source.up_to(gpt.backup.saturating_sub(len), len as usize)?;
        if copy != table {
            rest.extend(copy);
        }
        Ok(trimmed(rest))
    }
}

/// Without zeros, if there is nothing else.
fn trimmed(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.iter().all(|byte| *byte == 0) { Vec::new() } else { bytes }
}

/// Clears the told fields of an entry, and the old addresses where they follow from those.
fn mbr_entry(entry: &mut [u8], told: Option<&MbrPartition>) {
    entry[0] &= 0x7f;
    entry[4] = 0;
    entry[8..].fill(0);
    let Some(partition) = told else { return };
    let first = partition.start / SECTOR;
    let last = first + (partition.len / SECTOR).saturating_sub(1);
    for (at, sector) in [(1, first), (5, last)] {
        let address = &entry[at..at + 3];
        // of the usual shapes of disks; 0xffffff stands for what is too far (UEFI 2.10, 5.2.3)
        let shapes = [(255, 63), (64, 32), (16, 63)];
        if shapes.iter().any(|shape| *address == chs(sector, *shape)) || *address == [0xff; 3] {
            entry[at..at + 3].fill(0);
        } else if *address == [0; 3] {
            // no address is not the usual one
            entry[at..at + 3].fill(0xff);
        }
    }
}

/// Cylinder, head and sector of a sector's number on a disk of so many heads and sectors.
fn chs(sector: u64, (heads, sectors): (u64, u64)) -> [u8; 3] {
    let cylinder = sector / sectors / heads;
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    let (head, sector) = (sector / sectors % heads, sector % sectors + 1);
    [head as u8, sector as u8 | (cylinder >> 2) as u8 & 0xc0, cylinder as u8]
}

/// A GPT header without its places and without what is told; right checksums are cleared.
fn header(source: &dyn Source, at: u64, gpt: &Gpt) -> Result<Vec<u8>> {
    let mut bytes = source.up_to(at, SECTOR as usize)?;
    if bytes.len() < SECTOR as usize {
        return Ok(bytes);
    }
    let len = (u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) as usize).min(512);
    let mut zeroed = bytes[..len.max(92)].to_vec();
    zeroed[16..20].fill(0);
    if bytes[16..20] == crc(&zeroed).to_le_bytes() {
        bytes[16..20].fill(0);
    }
    let (start, len) = gpt.table;
    if bytes[88..92] == crc(&source.up_to(start, len as usize)?).to_le_bytes() {
        bytes[88..92].fill(0);
    }
    // signature, revision 1.0, size
    if bytes.starts_with(b"EFI PART\0\0\x01\0\x5c\0\0\0") {
        bytes[..16].fill(0);
    }
    // places of this header, of the other one, and of the table; the GUID; the size of the table
    // and the range of usable sectors
    bytes[24..88].fill(0);
    Ok(bytes)
}

/// The entries of unused partitions, and what stands behind the fields in the others.
fn entries(table: &[u8], gpt: &Gpt) -> Vec<u8> {
    let mut rest = Vec::new();
    for entry in table.chunks_exact(gpt.entry_len as usize) {
        let used = entry[..16].iter().any(|byte| *byte != 0);
        let from = if used {
            // the name ends at its first zero
            let name = entry[56..128].chunks_exact(2).position(|unit| unit == [0, 0]);
            name.map_or(128, |len| 56 + 2 * len)
        } else {
            0
        };
        if entry[from..].iter().any(|byte| *byte != 0) {
            rest.extend_from_slice(&entry[from..]);
        }
    }
    rest
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
