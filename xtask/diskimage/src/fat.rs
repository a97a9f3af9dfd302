//! FAT12, FAT16 and FAT32 (Microsoft, FAT: General Overview of On-Disk Format, 1.03).

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::{Record, printable};
use crate::source::{Parts, Shared, Source};
use crate::tree::{Content, Kind, LISTING, Metadata, Named, Node, Tree, is_name};
use std::sync::Arc;
use xtask_core::calendar;

pub(crate) const LAYER: &str = "FAT";

/// Bytes of a directory entry.
const ENTRY: usize = 32;

/// Handle of the root, which no entry names.
const ROOT: u64 = 0;

/// A FAT that is open.
pub struct Fat {
    source: Shared,
    shape: Shape,
    budget: Arc<Budget>,
}

/// What the boot sector says.
#[derive(Clone, Debug)]
struct Shape {
    /// 12, 16 or 32.
    bits: u8,
    /// Bytes.
    cluster: u64,
    clusters: u32,
    /// Offsets.
    fat: u64,
    fat_len: u64,
    root: u64,
    root_len: u64,
    data: u64,
    /// Of the root, FAT32 only.
    root_cluster: u32,
    total: u64,
    serial: u32,
    label: String,
    oem: String,
    media: u8,
    sector: u32,
    fats: u8,
    hidden: u32,
    kind: String,
}

impl Shape {
    fn read(source: &dyn Source) -> Result<Shape> {
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
        // the number of clusters alone decides
        let bits = match clusters {
            ..4085 if root_len > 0 => 12,
            4085..65_525 if root_len > 0 => 16,
            _ => 32,
        };
        let extended = if bits == 32 { 64 } else { 36 };
        let text = |at, len| -> Result<String> { Ok(trimmed(r.slice(at, len)?)) };
        Ok(Shape {
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

    fn offset(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster - 2) * self.cluster
    }
}

/// Bytes of the FAT at the start of `source`, if there is one.
pub(crate) fn size(source: &dyn Source) -> Option<u64> {
    Shape::read(source).ok().map(|shape| shape.total)
}

/// Whether bytes begin with the boot sector of a FAT.
pub(crate) fn is_fat(start: &[u8]) -> bool {
    start.get(510..512) == Some(&[0x55, 0xaa])
        && (start.get(54..57) == Some(b"FAT") || start.get(82..85) == Some(b"FAT"))
}

fn trimmed(bytes: &[u8]) -> String {
    printable(bytes.trim_ascii_end())
}

impl Fat {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Fat> {
        let shape = Shape::read(&*source)?;
        Ok(Fat { source, shape, budget })
    }

    /// The cluster behind another one; none: the last.
    fn next(&self, cluster: u32) -> Result<Option<u32>> {
        let at = match self.shape.bits {
            12 => u64::from(cluster) * 3 / 2,
            16 => u64::from(cluster) * 2,
            _ => u64::from(cluster) * 4,
        };
        let len = if self.shape.bits == 32 { 4 } else { 2 };
        if at + len > self.shape.fat_len {
            let why = format!("cluster {cluster} is not in the table");
            return Err(Error::new(LAYER, self.shape.fat, why));
        }
        let bytes = self.source.exactly(LAYER, self.shape.fat + at, len as usize)?;
        let r = Record::new(LAYER, self.shape.fat + at, &bytes);
        let (next, last) = match self.shape.bits {
            12 => {
                let pair = u32::from(r.le16(0)?);
                (if cluster.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 }, 0xff8)
            }
            16 => (u32::from(r.le16(0)?), 0xfff8),
            _ => (r.le32(0)? & 0x0fff_ffff, 0x0fff_fff8),
        };
        Ok((next < last).then_some(next))
    }

    /// Offsets and bytes of the clusters from `first` on; at most `most` bytes.
    fn chain(&self, first: u32, most: u64) -> Result<Vec<(u64, u64)>> {
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        let mut cluster = first;
        let mut bytes = 0;
        // more clusters than there are would be a loop
        for _ in 0..=self.shape.clusters {
            if cluster < 2 || cluster - 2 >= self.shape.clusters {
                let why = format!("cluster {cluster} of {}", self.shape.clusters);
                return Err(Error::new(LAYER, self.shape.fat, why));
            }
            let offset = self.shape.offset(cluster);
            match pieces.last_mut() {
                Some((start, len)) if *start + *len == offset => *len += self.shape.cluster,
                _ => pieces.push((offset, self.shape.cluster)),
            }
            bytes += self.shape.cluster;
            match self.next(cluster)? {
                Some(next) if bytes < most => cluster = next,
                _ => return Ok(pieces),
            }
        }
        Err(Error::new(LAYER, self.shape.fat, "a chain of clusters that loops"))
    }

    /// The bytes of a folder.
    fn folder(&self, handle: u64) -> Result<Vec<u8>> {
        let pieces = if handle == ROOT && self.shape.bits != 32 {
            vec![(self.shape.root, self.shape.root_len)]
        } else {
            let first =
                if handle == ROOT { self.shape.root_cluster } else { self.entry(handle)?.cluster };
            self.chain(first, LISTING as u64)?
        };
        let len: u64 = pieces.iter().map(|(_, len)| len).sum();
        if len > LISTING as u64 {
            return Err(Error::new(LAYER, handle, "a folder of too many names"));
        }
        self.budget.unpack(LAYER, handle, len)?;
        let pieces = pieces.into_iter().map(|(start, len)| (Some(start), len));
        let parts: Shared = Arc::new(Parts::new(self.source.clone(), pieces));
        parts.exactly(LAYER, 0, len as usize)
    }

    /// An entry by its handle, which is its offset in the image.
    fn entry(&self, handle: u64) -> Result<Entry> {
        let bytes = self.source.exactly(LAYER, handle, ENTRY)?;
        Entry::read(&Record::new(LAYER, handle, &bytes))
    }

    /// Offset in the image of a byte of a folder.
    fn place(&self, folder: u64, at: u64) -> Result<u64> {
        if folder == ROOT && self.shape.bits != 32 {
            return Ok(self.shape.root + at);
        }
        let first =
            if folder == ROOT { self.shape.root_cluster } else { self.entry(folder)?.cluster };
        let mut left = at;
        for (start, len) in self.chain(first, at + 1)? {
            if left < len {
                return Ok(start + left);
            }
            left -= len;
        }
        Err(Error::new(LAYER, folder, "an entry outside of its folder"))
    }
}

/// A directory entry with the short name.
struct Entry {
    name: Vec<u8>,
    attributes: u8,
    cluster: u32,
    size: u32,
    created: Option<i64>,
    accessed: Option<i64>,
    modified: Option<i64>,
}

impl Entry {
    fn read(r: &Record<'_>) -> Result<Entry> {
        let mut base = r.slice(0, 8)?.trim_ascii_end().to_vec();
        let mut extension = r.slice(8, 3)?.trim_ascii_end().to_vec();
        if base.first() == Some(&0x05) {
            base[0] = 0xe5;
        }
        // Windows NT keeps here which half of the name is in lower case
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
        Ok(Entry {
            name,
            attributes: r.u8(11)?,
            cluster: u32::from(r.le16(20)?) << 16 | u32::from(r.le16(26)?),
            size: r.le32(28)?,
            created: time(r.le16(16)?, r.le16(14)?),
            accessed: time(r.le16(18)?, 0),
            modified: time(r.le16(24)?, r.le16(22)?),
        })
    }
}

/// Seconds since 1970 of FAT's date and time, whose zone nobody knows.
fn time(date: u16, time: u16) -> Option<i64> {
    if date == 0 {
        return None;
    }
    let (date, time) = (i64::from(date), i64::from(time));
    let days =
        calendar::days(1980 + (date >> 9), (date >> 5 & 15).clamp(1, 12), (date & 31).max(1));
    Some(days * 86_400 + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2)
}

/// The parts of a long name, last part first.
#[derive(Default)]
struct LongName {
    units: Vec<u16>,
    checksum: Option<u8>,
}

impl LongName {
    fn add(&mut self, r: &Record<'_>) -> Result<()> {
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

    /// The name, if it belongs to that short one.
    fn take(&mut self, short: &[u8]) -> Option<Vec<u8>> {
        let long = std::mem::take(self);
        let sum = short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if long.checksum != Some(sum) {
            return None;
        }
        let end = long.units.iter().position(|unit| *unit == 0).unwrap_or(long.units.len());
        Some(String::from_utf16_lossy(&long.units[..end]).into_bytes())
    }
}

impl Tree for Fat {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        use FieldKind::{BootRecord, FatLabel, FatSerial, Layout};
        let shape = &self.shape;
        let serial = format!("{:04x}-{:04x}", shape.serial >> 16, shape.serial & 0xffff);
        vec![
            Field::new(FatSerial, "volume serial number", serial),
            Field::new(FatLabel, "volume label", &shape.label),
            Field::new(FatLabel, "volume label in the root", self.root_label().unwrap_or_default()),
            Field::new(BootRecord, "made by", &shape.oem),
            Field::new(BootRecord, "type", format!("FAT{} {}", shape.bits, shape.kind)),
            Field::new(BootRecord, "media", format!("{:02x}", shape.media)),
            Field::new(Layout, "bytes in a sector", shape.sector),
            Field::new(Layout, "bytes in a cluster", shape.cluster),
            Field::new(Layout, "clusters", shape.clusters),
            Field::new(Layout, "tables", shape.fats),
            Field::new(Layout, "bytes in a table", shape.fat_len),
            Field::new(Layout, "entries in the root", shape.root_len / ENTRY as u64),
            Field::new(Layout, "bytes", shape.total),
            Field::new(Layout, "hidden sectors", shape.hidden),
        ]
    }

    fn root(&self) -> Result<Node> {
        Ok(Node { metadata: Metadata::new(Kind::Folder), handle: ROOT })
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let bytes = self.folder(folder.handle)?;
        let mut names: Vec<Named> = Vec::new();
        let mut long = LongName::default();
        for (index, raw) in bytes.chunks_exact(ENTRY).enumerate() {
            let at = (index * ENTRY) as u64;
            let r = Record::new(LAYER, folder.handle.saturating_add(at), raw);
            match r.u8(0)? {
                0x00 => break,
                0xe5 => {
                    long = LongName::default();
                    continue;
                }
                _ => {}
            }
            self.budget.entries(LAYER, folder.handle, 1)?;
            let attributes = r.u8(11)?;
            if attributes & 0x3f == 0x0f {
                long.add(&r)?;
                continue;
            }
            let entry = Entry::read(&r)?;
            let long_name = long.take(&raw[..11]);
            // the label of the volume, and a folder's own entries
            if attributes & 0x08 != 0 || entry.name == b"." || entry.name == b".." {
                continue;
            }
            let name = long_name.unwrap_or_else(|| entry.name.clone());
            if !is_name(&name) {
                return Err(r.error(0, "a name that leads out of its folder"));
            }
            let folder_too = entry.attributes & 0x10 != 0;
            let mut about = Metadata::new(if folder_too { Kind::Folder } else { Kind::File });
            about.mtime = entry.modified;
            about.size = if folder_too { 0 } else { entry.size.into() };
            for (name, time) in [("creation time", entry.created), ("access time", entry.accessed)]
            {
                if let Some(time) = time {
                    about.more.push((name, calendar::utc(time)));
                }
            }
            about.more.push(("attributes", format!("{:02x}", entry.attributes)));
            about.more.push(("short name", printable(&entry.name)));
            let handle = self.place(folder.handle, at)?;
            names.push((name, Node { metadata: about, handle }));
        }
        Ok(names)
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let entry = self.entry(file.handle)?;
        let size = u64::from(entry.size);
        if size == 0 {
            return Ok(Content::Plain(Arc::new(crate::source::Bytes(Vec::new()))));
        }
        let mut left = size;
        let mut pieces = Vec::new();
        for (start, len) in self.chain(entry.cluster, size)? {
            let len = len.min(left);
            pieces.push((Some(start), len));
            left -= len;
        }
        if left > 0 {
            return Err(Error::new(LAYER, file.handle, format!("a file {left} bytes short")));
        }
        Ok(Content::Plain(Arc::new(Parts::new(self.source.clone(), pieces))))
    }
}

impl Fat {
    /// The label as the root's own entry has it.
    fn root_label(&self) -> Option<String> {
        let bytes = self.folder(ROOT).ok()?;
        bytes
            .chunks_exact(ENTRY)
            .take_while(|raw| raw[0] != 0)
            .find(|raw| raw[0] != 0xe5 && raw[11] & 0x3f != 0x0f && raw[11] & 0x08 != 0)
            .map(|raw| trimmed(&raw[..11]))
    }
}
