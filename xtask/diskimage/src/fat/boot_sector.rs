//! The boot sector with the BIOS parameter block (section 3 of the specification).

use super::directory_entry::ENTRY;
use crate::error::Result;
use crate::field::{Field, FieldKind};
use crate::record::{Record, printable};
use crate::source::Source;

pub(super) const LAYER: &str = "FAT";

/// `true` if bytes begin with the boot sector of a FAT.
pub(crate) fn is_fat(start: &[u8]) -> bool {
    start.get(510..512) == Some(&[0x55, 0xaa])
        && (start.get(54..57) == Some(b"FAT") || start.get(82..85) == Some(b"FAT"))
}

pub(super) fn trimmed(bytes: &[u8]) -> String {
    printable(bytes.trim_ascii_end())
}

/// The fields of the boot sector. Sizes and offsets are in bytes.
#[derive(Clone, Debug)]
pub(super) struct BootSector {
    /// 12, 16 or 32.
    pub(super) bits: u8,
    pub(super) cluster: u64,
    /// Number of clusters.
    pub(super) clusters: u32,
    /// Offset and size of the first allocation table.
    pub(super) fat: u64,
    pub(super) fat_len: u64,
    /// Number of allocation tables.
    pub(super) fats: u8,
    /// Offset and size of the root directory of FAT12 and FAT16.
    pub(super) root: u64,
    pub(super) root_len: u64,
    /// Offset of the first cluster.
    pub(super) data: u64,
    /// First cluster of the root directory of FAT32.
    pub(super) root_cluster: u32,
    /// Size of the file system.
    pub(super) total: u64,
    serial: u32,
    label: String,
    oem: String,
    media: u8,
    sector: u32,
    hidden: u32,
    kind: String,
}

impl BootSector {
    pub(super) fn read(source: &dyn Source) -> Result<BootSector> {
        let bytes = source.exactly(LAYER, 0, 512)?;
        let r = Record::new(LAYER, 0, &bytes);
        let sector = r.le16(11)?;
        let per_cluster = r.u8(13)?;
        let jumps = matches!(r.u8(0)?, 0xeb | 0xe9);
        if !jumps || ![512, 1024, 2048, 4096].contains(&sector) || !per_cluster.is_power_of_two() {
            return Err(r.error(0, "no boot sector of a FAT"));
        }
        let sector = u64::from(sector);
        let (reserved, fats) = (u64::from(r.le16(14)?), r.u8(16)?);
        let root_len = u64::from(r.le16(17)?) * ENTRY as u64;
        let fat_sectors = match r.le16(22)? {
            0 => u64::from(r.le32(36)?),
            n => u64::from(n),
        };
        let sectors = match r.le16(19)? {
            0 => u64::from(r.le32(32)?),
            n => u64::from(n),
        };
        if reserved == 0 || fats == 0 || fat_sectors == 0 || sectors == 0 {
            return Err(r.error(11, "a FAT without a table"));
        }
        let fat = reserved * sector;
        let fat_len = fat_sectors * sector;
        let root = fat + u64::from(fats) * fat_len;
        let data = root + root_len.next_multiple_of(sector);
        let total = sectors * sector;
        let cluster = u64::from(per_cluster) * sector;
        let clusters = total
            .checked_sub(data)
            .and_then(|bytes| u32::try_from(bytes / cluster).ok())
            .ok_or_else(|| r.error(19, "tables larger than the file system"))?;
        // the number of clusters alone decides the width (section 3.5)
        let bits = match clusters {
            ..4085 if root_len > 0 => 12,
            4085..65_525 if root_len > 0 => 16,
            _ => 32,
        };
        let extended = if bits == 32 { 64 } else { 36 };
        let text = |at, len| -> Result<String> { Ok(trimmed(r.slice(at, len)?)) };
        Ok(BootSector {
            bits,
            cluster,
            clusters,
            fat,
            fat_len,
            root,
            root_len,
            data,
            root_cluster: if bits == 32 { r.le32(44)? } else { 0 },
            total,
            serial: r.le32(extended + 3)?,
            label: text(extended + 7, 11)?,
            oem: text(3, 8)?,
            media: r.u8(21)?,
            sector: sector as u32,
            fats,
            hidden: r.le32(28)?,
            kind: text(extended + 18, 8)?,
        })
    }

    /// Offset of a cluster, which must be 2 or more.
    pub(super) fn offset(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster - 2) * self.cluster
    }

    /// Place and length of what the fields tell. A number of 16 bits may stand in a wider one as well, if it
    /// is 0; then that one is told.
    pub(super) fn told(&self, sector: &[u8]) -> Vec<(usize, usize)> {
        let zero = |at: usize| sector[at..at + 2] == [0; 2];
        // OEM name, bytes in a sector, sectors in a cluster, tables, entries in the root, media, hidden
        let mut told = vec![(3, 8), (11, 2), (13, 1), (16, 1), (17, 2), (21, 1), (28, 4)];
        told.push(if zero(19) { (32, 4) } else { (19, 2) });
        told.push(if zero(22) { (36, 4) } else { (22, 2) });
        let extended = if self.bits == 32 { 64 } else { 36 };
        // only with a mark of 0x29 is there a serial number, label and type
        if sector[extended + 2] == 0x29 {
            told.push((extended + 3, 23));
        }
        told
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        use FieldKind::{BootRecord, FatLabel, FatSerial, Layout};
        let serial = format!("{:04x}-{:04x}", self.serial >> 16, self.serial & 0xffff);
        vec![
            Field::new(FatSerial, "volume serial number", serial),
            Field::new(FatLabel, "volume label", &self.label),
            Field::new(BootRecord, "made by", &self.oem),
            Field::new(BootRecord, "type", format!("FAT{} {}", self.bits, self.kind)),
            Field::new(BootRecord, "media", format!("{:02x}", self.media)),
            Field::new(Layout, "bytes in a sector", self.sector),
            Field::new(Layout, "bytes in a cluster", self.cluster),
            Field::new(Layout, "clusters", self.clusters),
            Field::new(Layout, "tables", self.fats),
            Field::new(Layout, "bytes in a table", self.fat_len),
            Field::new(Layout, "entries in the root", self.root_len / ENTRY as u64),
            Field::new(Layout, "bytes", self.total),
            Field::new(Layout, "hidden sectors", self.hidden),
        ]
    }
}
