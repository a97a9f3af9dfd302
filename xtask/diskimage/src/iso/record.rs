//! Directory records (ECMA-119, 9.1) with what Rock Ridge adds (IEEE P1281 SUSP, P1282 RRIP).

use super::date;
use super::sector::{LAYER, SECTOR};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::source::Source;

/// Continuation areas of one record.
const CONTINUATIONS: usize = 64;

/// Bytes of a name; Linux takes 255.
const NAME: usize = 1024;

/// Bytes of the target of a link; Linux takes 4095.
const TARGET: usize = 8192;

/// A directory record with its system use area.
pub(super) struct DirectoryRecord {
    /// Offset of the record.
    pub(super) offset: u64,
    /// Bytes of the record.
    pub(super) len: u64,
    /// Offset and bytes of the extent.
    pub(super) extent: (u64, u64),
    pub(super) folder: bool,
    /// The file goes on in the next record.
    pub(super) continues: bool,
    /// Seconds since 1970 UTC.
    pub(super) recorded: Option<i64>,
    /// The name of ISO 9660 itself.
    pub(super) name: Vec<u8>,
    pub(super) rock: Rock,
}

/// The Rock Ridge fields of an entry.
#[derive(Default)]
pub(super) struct Rock {
    pub(super) name: Option<Vec<u8>>,
    /// Mode, links, owner, group.
    pub(super) posix: Option<(u32, u32, u32, u32)>,
    pub(super) device: Option<(u32, u32)>,
    pub(super) target: Option<Vec<u8>>,
    /// Creation, modification, access, change of attributes.
    pub(super) times: [Option<i64>; 4],
    /// Sector of a folder that had to move because it was too deep.
    pub(super) moved_to: Option<u64>,
    /// This record is such a folder, in the place that it was moved to.
    pub(super) moved_here: bool,
    /// Bytes to skip in other system use areas. Only the first record of the root has this.
    pub(super) skip: Option<u8>,
    /// Offsets and bytes of continuation areas.
    pub(super) areas: Vec<(u64, u64)>,
}

/// Reads the records of one image.
#[derive(Clone, Copy)]
pub(super) struct RecordReader<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) budget: &'a Budget,
    /// Bytes before the system use area; `None`: no Rock Ridge.
    pub(super) skip: Option<u8>,
}

impl RecordReader<'_> {
    /// The record at `offset`.
    pub(super) fn at(&self, offset: u64) -> Result<DirectoryRecord> {
        self.read(offset)?.ok_or_else(|| Error::new(LAYER, offset, "no directory record"))
    }

    /// The record at `offset`; `None`: padding up to the end of the sector.
    pub(super) fn read(&self, offset: u64) -> Result<Option<DirectoryRecord>> {
        let room = (SECTOR - offset % SECTOR).min(255) as usize;
        self.budget.unpack(LAYER, offset, room as u64)?;
        let bytes = self.source.up_to(offset, room)?;
        let r = Record::new(LAYER, offset, &bytes);
        let len = usize::from(r.u8(0)?);
        if len == 0 {
            return Ok(None);
        }
        let name_len = usize::from(r.u8(32)?);
        if len < 33 + name_len || len > bytes.len() {
            return Err(r.error(0, format!("a directory record of {len} bytes")));
        }
        let r = Record::new(LAYER, offset, &bytes[..len]);
        let name = r.slice(33, name_len)?.to_vec();
        let flags = r.u8(25)?;
        let extent = (u64::from(r.le32(2)?) + u64::from(r.u8(1)?)) * SECTOR;
        let mut rock = Rock::default();
        if let Some(skip) = self.skip {
            let start = system_use(name_len, skip);
            rock.read(self, r.bytes.get(start..).unwrap_or_default(), offset + start as u64)?;
        }
        Ok(Some(DirectoryRecord {
            offset,
            len: len as u64,
            extent: (extent, r.le32(10)?.into()),
            folder: flags & 0x02 != 0,
            continues: flags & 0x80 != 0,
            recorded: date::short(r.slice(18, 7)?),
            name,
            rock,
        }))
    }
}

/// Place in a record of its system use area.
pub(super) fn system_use(name_len: usize, skip: u8) -> usize {
    (33 + name_len).next_multiple_of(2) + usize::from(skip)
}

impl Rock {
    /// Reads the entries of a system use area and of those that continue it.
    fn read(&mut self, records: &RecordReader<'_>, area: &[u8], offset: u64) -> Result<()> {
        let mut area = (area.to_vec(), offset);
        let mut link = Link::default();
        for _ in 0..CONTINUATIONS {
            let Some((offset, len)) = self.area(Record::new(LAYER, area.1, &area.0), &mut link)?
            else {
                if !link.target.is_empty() {
                    self.target = Some(link.target);
                }
                return Ok(());
            };
            self.areas.push((offset, len));
            records.budget.unpack(LAYER, offset, len)?;
            area = (records.source.exactly(LAYER, offset, len as usize)?, offset);
        }
        Err(Error::new(LAYER, offset, "continuation areas without an end"))
    }

    /// Reads the entries of one area; returns offset and bytes of the area that continues it.
    fn area(&mut self, r: Record<'_>, link: &mut Link) -> Result<Option<(u64, u64)>> {
        let mut next = None;
        let mut at = 0;
        while at + 4 <= r.bytes.len() {
            let len = usize::from(r.u8(at + 2)?);
            if r.u8(at)? == 0 {
                break;
            }
            if len < 4 || at + len > r.bytes.len() {
                return Err(r.error(at, format!("a system use entry of {len} bytes")));
            }
            let e = Record::new(LAYER, r.offset + at as u64, r.slice(at, len)?);
            match r.slice(at, 2)? {
                b"ST" => break,
                b"SP" if e.slice(4, 2)? == [0xbe, 0xef] => self.skip = Some(e.u8(6)?),
                b"CE" => {
                    let (sector, offset) = (u64::from(e.le32(4)?), u64::from(e.le32(12)?));
                    let len = u64::from(e.le32(20)?);
                    if offset + len > 16 * SECTOR {
                        return Err(e.error(0, format!("a continuation area of {len} bytes")));
                    }
                    next = Some((sector * SECTOR + offset, len));
                }
                b"PX" => {
                    self.posix = Some((e.le32(4)?, e.le32(12)?, e.le32(20)?, e.le32(28)?));
                }
                b"PN" => self.device = Some(device(e.le32(4)?, e.le32(12)?)),
                b"NM" => {
                    let name = self.name.get_or_insert_default();
                    name.extend(e.slice(5, len.saturating_sub(5))?);
                    if name.len() > NAME {
                        return Err(e.error(0, format!("a name of more than {NAME} bytes")));
                    }
                }
                b"SL" => link.add(e)?,
                b"TF" => self.times(e)?,
                b"CL" => self.moved_to = Some(e.le32(4)?.into()),
                b"RE" => self.moved_here = true,
                _ => {}
            }
            at += len;
        }
        Ok(next)
    }

    fn times(&mut self, e: Record<'_>) -> Result<()> {
        let flags = e.u8(4)?;
        let len = if flags & 0x80 != 0 { 17 } else { 7 };
        let mut at = 5;
        for bit in 0..7 {
            if flags & (1 << bit) == 0 {
                continue;
            }
            let bytes = e.slice(at, len)?;
            let time = match len {
                17 => date::long(bytes).map(|(seconds, _, _)| seconds),
                _ => date::short(bytes),
            };
            // creation, modification, access, attributes; then backup, expiration, effective
            if let Some(kept) = self.times.get_mut(bit) {
                *kept = time;
            }
            at += len;
        }
        Ok(())
    }
}

/// Major and minor number: one in each word, or both in the low word as Linux encodes them
/// (include/linux/kdev_t.h, new_encode_dev).
pub(super) fn device(high: u32, low: u32) -> (u32, u32) {
    if high == 0 && low > 0xff {
        ((low >> 8) & 0xfff, (low & 0xff) | ((low >> 12) & 0xfff00))
    } else {
        (high, low)
    }
}

/// The target of a link, which is stored in components.
#[derive(Default)]
struct Link {
    target: Vec<u8>,
    /// The next component belongs to the last one.
    joins: bool,
}

impl Link {
    fn add(&mut self, e: Record<'_>) -> Result<()> {
        let mut at = 5;
        while at + 2 <= e.bytes.len() {
            let (flags, len) = (e.u8(at)?, usize::from(e.u8(at + 1)?));
            // genisoimage cuts long targets off, in the middle of a component
            let text = e.slice(at + 2, len.min(e.bytes.len() - at - 2))?;
            if !self.target.is_empty() && !self.joins && self.target.last() != Some(&b'/') {
                self.target.push(b'/');
            }
            match flags & 0x0e {
                0x02 => self.target.push(b'.'),
                0x04 => self.target.extend(b".."),
                0x08 if self.target.is_empty() => self.target.push(b'/'),
                _ => self.target.extend(text),
            }
            if self.target.len() > TARGET {
                return Err(e.error(at, format!("a link of more than {TARGET} bytes")));
            }
            self.joins = flags & 0x01 != 0;
            at += 2 + len;
        }
        Ok(())
    }
}
