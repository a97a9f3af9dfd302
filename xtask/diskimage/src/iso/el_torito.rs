//! The boot catalogue (El Torito 1.0; UEFI 2.10, 13.3.2).

use super::sector::{LAYER, SECTOR};
use crate::error::Result;
use crate::record::{Record, hex, printable};
use crate::source::Source;

/// Bytes of the catalogue. Real ones have two or three entries of 32 bytes.
const CATALOGUE: usize = SECTOR as usize;

/// An entry of the boot catalogue: one way to start the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// `BIOS`, `PowerPC`, `Mac`, `UEFI`, or a number.
    pub platform: String,
    pub bootable: bool,
    /// 0: none.
    pub emulation: u8,
    pub load_segment: u16,
    /// Sectors of 512 bytes that the firmware loads.
    pub sectors: u16,
    /// Offset of the boot image.
    pub offset: u64,
    /// Selection criteria, in hexadecimal.
    pub criteria: String,
}

/// Reads the identification of the catalogue, and its entries.
pub(super) fn read(source: &dyn Source, offset: u64) -> Result<(String, Vec<CatalogueEntry>)> {
    let bytes = source.exactly(LAYER, offset, CATALOGUE)?;
    let r = Record::new(LAYER, offset, &bytes);
    if r.u8(0)? != 1 || r.slice(30, 2)? != [0x55, 0xaa] {
        return Err(r.error(0, "no El Torito catalogue"));
    }
    let mut platform = platform_name(r.u8(1)?);
    let id = printable(r.slice(4, 24)?).replace("\\x00", "").trim_end().to_string();
    let mut entries = vec![entry(&r, 32, &platform)?];
    let mut at = 64;
    while at + 32 <= CATALOGUE {
        match r.u8(at)? {
            0x90 | 0x91 => platform = platform_name(r.u8(at + 1)?),
            0x88 => entries.push(entry(&r, at, &platform)?),
            // a not bootable entry, or the end
            0x00 if r.slice(at, 32)?.iter().all(|byte| *byte == 0) => break,
            0x00 => entries.push(entry(&r, at, &platform)?),
            // an extension of the previous entry
            _ => {}
        }
        at += 32;
    }
    Ok((id, entries))
}

fn entry(r: &Record<'_>, at: usize, platform: &str) -> Result<CatalogueEntry> {
    Ok(CatalogueEntry {
        platform: platform.to_string(),
        bootable: r.u8(at)? == 0x88,
        emulation: r.u8(at + 1)? & 0x0f,
        load_segment: r.le16(at + 2)?,
        sectors: r.le16(at + 6)?,
        offset: u64::from(r.le32(at + 8)?) * SECTOR,
        criteria: hex(trimmed(r.slice(at + 12, 20)?)),
    })
}

/// `bytes` without the zeros at their end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

fn platform_name(id: u8) -> String {
    match id {
        0 => "BIOS".into(),
        1 => "PowerPC".into(),
        2 => "Mac".into(),
        0xef => "UEFI".into(),
        other => format!("platform {other}"),
    }
}
