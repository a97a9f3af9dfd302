//! Partition tables: MBR and GPT (UEFI 2.10, 5.2 and 5.3), of disk images and of hybrid ISOs.

mod anchors;
mod extended;
mod image;
mod leftover;

pub(crate) use anchors::Anchors;
pub use image::DiskImage;
pub(crate) use image::is_disk;

use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::Record;
use crate::source::Source;

pub(crate) const LAYER: &str = "partition table";

/// Bytes of a sector as the tables count them.
pub(crate) const SECTOR: u64 = 512;

/// Entries of a GPT; 128 are usual, xorriso makes 248.
const ENTRIES: u32 = 1024;

/// The partition tables of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// MBR: four bytes at 440, as a number.
    pub signature: u32,
    pub mbr: Vec<MbrPartition>,
    pub gpt: Option<Gpt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MbrPartition {
    pub active: bool,
    pub kind: u8,
    /// Bytes.
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpt {
    pub guid: String,
    pub partitions: Vec<GptPartition>,
    /// Offset and bytes of the table of partitions.
    pub table: (u64, u64),
    /// Bytes of an entry of the table.
    pub entry_len: u32,
    /// Offset of the second header.
    pub backup: u64,
    /// First and last sector that partitions may have.
    pub usable: (u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GptPartition {
    pub kind: String,
    pub guid: String,
    pub name: String,
    pub flags: u64,
    /// Bytes.
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

impl Disk {
    /// Reads the tables; `None`: there is no boot signature, so no partition table.
    pub fn read(source: &dyn Source) -> Result<Option<Disk>> {
        let bytes = source.up_to(0, 2 * SECTOR as usize)?;
        let r = Record::new(LAYER, 0, &bytes);
        if bytes.len() < 512 || r.slice(510, 2)? != [0x55, 0xaa] {
            return Ok(None);
        }
        let mut disk = Disk { signature: r.le32(440)?, ..Disk::default() };
        for index in 0..4 {
            let at = 446 + index * 16;
            let (active, kind) = (r.u8(at)?, r.u8(at + 4)?);
            let (start, len) = (r.le32(at + 8)?, r.le32(at + 12)?);
            if active & 0x7f != 0 {
                // code, not a table, as in the boot sector of a FAT
                return Ok(None);
            }
            if kind != 0 || len != 0 {
                let (start, len) = (u64::from(start) * SECTOR, u64::from(len) * SECTOR);
                disk.mbr.push(MbrPartition { active: active & 0x80 != 0, kind, start, len });
            }
        }
        if bytes.len() == 1024 && r.slice(512, 8)? == b"EFI PART" {
            disk.gpt = Some(gpt(source, &r)?);
        }
        Ok(Some(disk))
    }

    /// The fields of the tables; `anchors` name offsets of the image.
    pub(crate) fn fields(&self, anchors: &Anchors) -> Vec<Field> {
        use FieldKind::{BootRecord, DiskId, Extent};
        let mut fields =
            vec![Field::new(DiskId, "MBR disk signature", format!("{:08x}", self.signature))];
        let join = |parts: Vec<String>| parts.join("; ");
        let each =
            |show: &dyn Fn(&MbrPartition) -> String| join(self.mbr.iter().map(show).collect());
        let kinds = each(&|p| format!("{:02x}{}", p.kind, if p.active { " active" } else { "" }));
        fields.push(Field::new(BootRecord, "MBR partition types", kinds));
        let starts = each(&|p| anchors.text(p.start));
        fields.push(Field::new(BootRecord, "starts of the MBR partitions", starts));
        let ends = each(&|p| anchors.text(p.start.saturating_add(p.len)));
        fields.push(Field::new(Extent, "ends of the MBR partitions", ends));
        if let Some(gpt) = &self.gpt {
            let each = |show: &dyn Fn(&GptPartition) -> String| {
                join(gpt.partitions.iter().map(show).collect())
            };
            fields.push(Field::new(DiskId, "GPT disk GUID", &gpt.guid));
            let guids = each(&|p| p.guid.clone());
            fields.push(Field::new(DiskId, "GPT partition GUIDs", guids));
            let kinds = each(&|p| format!("{} {} flags {:x}", p.name, p.kind, p.flags));
            fields.push(Field::new(BootRecord, "GPT partition types", kinds));
            let starts = each(&|p| anchors.text(p.start));
            fields.push(Field::new(BootRecord, "starts of the GPT partitions", starts));
            let ends = each(&|p| anchors.text(p.start.saturating_add(p.len)));
            fields.push(Field::new(Extent, "ends of the GPT partitions", ends));
            let behind = anchors.text(gpt.backup + SECTOR);
            fields.push(Field::new(BootRecord, "end of the GPT backup header", behind));
            // up to the second table, which ends with the backup of the header
            let (first, last) = gpt.usable;
            let table = (gpt.backup.saturating_sub(gpt.table.1)) / SECTOR;
            let last = table.checked_sub(last).map_or(-1, |sectors| sectors.cast_signed());
            let usable = format!("from {first} on, up to {last} before the second table");
            fields.push(Field::new(BootRecord, "GPT usable sectors", usable));
        }
        fields
    }

    /// Offsets and bytes of the tables, at the start and, for GPT, at the end.
    pub(crate) fn regions(&self) -> Vec<(u64, u64)> {
        let mut regions = vec![(440, 72)];
        if let Some(gpt) = &self.gpt {
            let (_, len) = gpt.table;
            regions.push((512, 512));
            regions.push(gpt.table);
            let second = gpt.backup.saturating_sub(len);
            regions.push((second, gpt.backup + SECTOR - second));
        }
        regions
    }
}

fn gpt(source: &dyn Source, r: &Record<'_>) -> Result<Gpt> {
    let guid = guid(r.slice(512 + 56, 16)?);
    let backup = r.le64(512 + 32)?.saturating_mul(SECTOR).min(u64::MAX - SECTOR);
    let start = r.le64(512 + 72)?.saturating_mul(SECTOR);
    let usable = (r.le64(512 + 40)?, r.le64(512 + 48)?);
    let (count, size) = (r.le32(512 + 80)?, r.le32(512 + 84)?);
    if count > ENTRIES || !(128..=512).contains(&size) {
        return Err(r.error(512 + 80, format!("{count} partitions in entries of {size} bytes")));
    }
    let bytes = source.exactly(LAYER, start, (count * size) as usize)?;
    let mut partitions = Vec::new();
    for index in 0..count {
        let at = start + u64::from(index * size);
        let entry = Record::new(LAYER, at, &bytes[(index * size) as usize..][..size as usize]);
        let kind = entry.slice(0, 16)?;
        if kind.iter().all(|byte| *byte == 0) {
            continue;
        }
        let (first, last) = (entry.le64(32)?, entry.le64(40)?);
        let sectors = last.checked_sub(first).and_then(|n| n.checked_add(1));
        let sectors = sectors
            .ok_or_else(|| Error::new(LAYER, at, "a partition that ends before it starts"))?;
        let name = entry.slice(56, 72)?;
        let name: Vec<u16> = name
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .take_while(|unit| *unit != 0)
            .collect();
        partitions.push(GptPartition {
            kind: self::guid(kind),
            guid: self::guid(entry.slice(16, 16)?),
            name: crate::record::printable(&crate::record::utf8_of(&name)),
            flags: entry.le64(48)?,
            start: first.saturating_mul(SECTOR),
            len: sectors.saturating_mul(SECTOR),
        });
    }
    Ok(Gpt {
        guid,
        partitions,
        table: (start, u64::from(count * size)),
        entry_len: size,
        backup,
        usable,
    })
}

/// Text of a GUID; its first three groups are little-endian (UEFI 2.10, appendix A).
fn guid(b: &[u8]) -> String {
    let swapped = |bytes: &[u8]| bytes.iter().rev().map(|b| format!("{b:02x}")).collect::<String>();
    let plain = crate::record::hex;
    format!(
        "{}-{}-{}-{}-{}",
        swapped(&b[0..4]),
        swapped(&b[4..6]),
        swapped(&b[6..8]),
        plain(&b[8..10]),
        plain(&b[10..16])
    )
}
