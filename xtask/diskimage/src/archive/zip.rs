//! zip (PKWARE, APPNOTE.TXT 6.3.10), also jar, wheel and apk: local headers with the members, and the
//! central directory that readers go by.

use super::index::{Archive, HashedContent, Index, NAME};
use crate::budget::Budget;
use crate::dos_time;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::ranges::DescribedRanges;
use crate::record::{Record, hex, printable, rest_text};
use crate::source::{Shared, Slice};
use crate::tree::{Kind, Metadata, PartContent};
use crate::unpack::{Codec, Packing, Unpacked};
use flate2::Crc;
use std::sync::Arc;
use xtask_core::calendar;

pub(crate) const LAYER: &str = "zip";

/// Bytes of the headers without names, extra fields and comments.
const LOCAL: usize = 30;
const CENTRAL: usize = 46;
const END: usize = 22;

/// Stands for a number that is in the zip64 extra field.
const ELSEWHERE: u32 = u32::MAX;

pub(crate) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// The record at the end of the central directory.
struct End {
    /// Offset and bytes of the record; for zip64 of its larger record, and of the locator with it.
    records: Vec<(u64, u64)>,
    count: u64,
    /// Offset and bytes of the central directory.
    start: u64,
    len: u64,
    comment: Vec<u8>,
    /// Bytes of the record that readers have no use for, unless they are as in every zip of one file.
    odd: Vec<u8>,
}

impl End {
    fn read(source: &Shared) -> Result<End> {
        let size = source.size()?;
        let from = size.saturating_sub((END + usize::from(u16::MAX)) as u64);
        let tail = source.exactly(LAYER, from, (size - from) as usize)?;
        // the last one counts
        let starts = (0..tail.len().saturating_sub(END - 1)).rev();
        let mut candidates = starts.filter(|at| tail[*at..].starts_with(b"PK\x05\x06"));
        let at = candidates
            .next()
            .ok_or_else(|| Error::new(LAYER, size, "no end of a central directory"))?;
        let r = Record::new(LAYER, from, &tail);
        let (mut count, mut len, mut start) =
            (r.le16(at + 10)?.into(), r.le32(at + 12)?.into(), r.le32(at + 16)?.into());
        let comment_len = usize::from(r.le16(at + 20)?);
        let comment: Vec<u8> = tail[at + END..].iter().take(comment_len).copied().collect();
        // numbers of disks, entries on this disk, a length of the comment that cannot be
        let mut odd = Vec::new();
        if r.slice(at + 4, 4)? != [0; 4] || r.slice(at + 8, 2)? != r.slice(at + 10, 2)? {
            odd.extend(r.slice(at + 4, 6)?);
        }
        if comment.len() != comment_len {
            odd.extend(r.slice(at + 20, 2)?);
        }
        let behind = (from + (at + END + comment_len) as u64).min(size);
        let at = from + at as u64;
        // zip64: a locator of 20 bytes before it names a larger record
        let locator = source.up_to(at.saturating_sub(20), 20)?;
        let mut records = vec![(at, behind - at)];
        if locator.starts_with(b"PK\x06\x07") {
            let place = Record::new(LAYER, at - 20, &locator).le64(8)?;
            let bytes = source.exactly(LAYER, place, 56)?;
            let r = Record::new(LAYER, place, &bytes);
            if r.slice(0, 4)? != b"PK\x06\x06" {
                return Err(r.error(0, "no end of a zip64 central directory"));
            }
            (count, len, start) = (r.le64(32)?, r.le64(40)?, r.le64(48)?);
            records = vec![(place, 56), (at - 20, behind - (at - 20))];
            // its length, versions, numbers of disks and entries; the locator; the other record
            odd.extend(r.slice(4, 28)?);
            odd.extend(&locator[4..]);
            odd.extend(source.exactly(LAYER, at, END)?);
        }
        if count == 0 {
            odd.extend(start.to_le_bytes()); // nothing is read there
        }
        Ok(End { records, count, start, len, comment, odd })
    }
}

/// Reads the central directory and all members.
pub(crate) fn open(source: &Shared, budget: Arc<Budget>) -> Result<Archive> {
    let end = End::read(source)?;
    let mut index = Index::with_slashes(LAYER, budget.clone())?;
    let mut known = DescribedRanges::new(LAYER);
    let mut at = end.start;
    for _ in 0..end.count {
        let entry = Entry::read(source, at)?;
        at = entry.behind;
        member(source, &budget, &entry, &mut index, &mut known)?;
    }
    if at != end.start.saturating_add(end.len) {
        let why = format!("a central directory of {} bytes that ends at {at:#x}", end.len);
        return Err(Error::new(LAYER, end.start, why));
    }
    known.add(end.start, end.len)?;
    for (start, len) in end.records {
        known.add(start, len)?;
    }
    if let Some(part) = known.part("[between the members]", source, &budget, 0, source.size()?)?
        && let PartContent::Bytes(bytes) = part.what
    {
        index.parts.push(("[between the members]", bytes));
    }
    let comment = Field::new(FieldKind::Header, "comment", printable(&end.comment));
    let odd = Field::new(FieldKind::Header, "end of the central directory", hex(&end.odd));
    Ok(index.finish(vec![comment, odd]))
}

/// An entry of the central directory.
struct Entry {
    at: u64,
    /// Offset behind the entry.
    behind: u64,
    /// The entry as it is stored.
    bytes: Vec<u8>,
    name: Vec<u8>,
    extra: Vec<u8>,
    comment: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Offset of the local header.
    local: u64,
}

impl Entry {
    fn read(source: &Shared, at: u64) -> Result<Entry> {
        let bytes = source.exactly(LAYER, at, CENTRAL)?;
        let r = Record::new(LAYER, at, &bytes);
        if r.slice(0, 4)? != b"PK\x01\x02" {
            return Err(r.error(0, "no entry of a central directory"));
        }
        let lens = [r.le16(28)?, r.le16(30)?, r.le16(32)?].map(usize::from);
        let start = at + CENTRAL as u64;
        let texts = source.exactly(LAYER, start, lens.iter().sum())?;
        let (name, rest) = texts.split_at(lens[0]);
        let (extra, comment) = rest.split_at(lens[1]);
        let mut entry = Entry {
            at,
            behind: start + texts.len() as u64,
            name: name.to_vec(),
            extra: extra.to_vec(),
            comment: comment.to_vec(),
            flags: r.le16(8)?,
            method: r.le16(10)?,
            crc: r.le32(16)?,
            packed: r.le32(20)?.into(),
            size: r.le32(24)?.into(),
            local: r.le32(42)?.into(),
            bytes,
        };
        if let Some(field) = extra_field(&entry.extra, ZIP64) {
            let r = Record::new(LAYER, at, field);
            let mut from = 0;
            for number in [&mut entry.size, &mut entry.packed, &mut entry.local] {
                if *number == u64::from(ELSEWHERE) {
                    *number = r.le64(from)?;
                    from += 8;
                }
            }
        }
        if entry.name.len() > NAME {
            return Err(Error::new(LAYER, at, "a name that is too long"));
        }
        Ok(entry)
    }

    fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// `extra`: the extra fields of the local header, which may have more times.
    fn metadata(&self, extra: &[u8]) -> Metadata {
        let unix = self.bytes[5] == 3;
        let attributes = u32::from(self.half(38)) | u32::from(self.half(40)) << 16;
        let mode = attributes >> 16;
        let folder = self.name.ends_with(b"/");
        let kind = match Kind::of_mode(mode) {
            Some(Kind::Symlink) if unix => Kind::Symlink,
            _ if folder => Kind::Folder,
            _ => Kind::File,
        };
        let mut about = Metadata::new(kind);
        about.mode = unix.then_some(mode & 0o7777);
        let (time, date) = (self.half(12), self.half(14));
        about.mtime = dos_time::seconds(date, time);
        let mut more = |name, value: String| about.more.push((name, value));
        if about.mtime.is_none() {
            more("no date", format!("{date:04x} {time:04x}"));
        }
        if self.half(34) != 0 {
            more("number of its disk", self.half(34).to_string());
        }
        more("method", method_name(self.method));
        more("flags", format!("{:04x}", self.flags));
        let versions = format!("{:04x} {:04x}", self.half(4), self.half(6));
        more("versions", versions);
        more("attributes", format!("{attributes:08x} {:04x}", self.half(36)));
        if !self.comment.is_empty() {
            more("comment", printable(&self.comment));
        }
        let local = extra_field(extra, TIMES).is_some();
        more_times(if local { extra } else { &self.extra }, &mut more);
        if let Some(text) = rest_text(&untold(&self.extra)) {
            more("extra fields", text);
        }
        about
    }
}

/// The extra field with sizes and offsets of eight bytes.
const ZIP64: u16 = 1;

/// The extra field with times in seconds since 1970 (Info-ZIP, proginfo/extrafld.txt).
const TIMES: u16 = 0x5455;

fn more_times(extra: &[u8], more: &mut dyn FnMut(&'static str, String)) {
    let Some(field) = extra_field(extra, TIMES) else { return };
    let times = field.get(1..).unwrap_or_default().chunks_exact(4);
    let names = ["exact mtime", "access time", "creation time"];
    for (name, time) in names.into_iter().zip(times) {
        let seconds = i32::from_le_bytes([time[0], time[1], time[2], time[3]]);
        more(name, calendar::utc(seconds.into()));
    }
}

/// The content of an extra field.
fn extra_field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [a, b, c, d, rest @ ..] = extra {
        let len = usize::from(u16::from_le_bytes([*c, *d]));
        let content = rest.get(..len)?;
        if u16::from_le_bytes([*a, *b]) == wanted {
            return Some(content);
        }
        extra = &rest[len..];
    }
    None
}

/// The bytes of extra fields that are told neither as sizes nor as times.
fn untold(mut extra: &[u8]) -> Vec<u8> {
    let mut others = Vec::new();
    let mut known = vec![ZIP64, TIMES];
    while let [a, b, c, d, rest @ ..] = extra {
        let id = u16::from_le_bytes([*a, *b]);
        let len = usize::from(u16::from_le_bytes([*c, *d]));
        let content = &rest[..len.min(rest.len())];
        let whole = content.len() == len;
        // of two fields of one kind only the first is told
        let first = known.iter().position(|known| *known == id);
        let is_told = match id {
            ZIP64 => len.is_multiple_of(8) && (8..=24).contains(&len),
            // flags say which times there are; the central directory has the first alone
            TIMES => {
                let times = content.first().map_or(0, |flags| flags.count_ones());
                let alone = len == 5 && content[0] & 1 != 0 && content[0] <= 7;
                alone || len as u32 == 1 + 4 * times && content[0] <= 7 && content[0] & 1 != 0
            }
            _ => false,
        };
        match first.filter(|_| whole && is_told) {
            Some(index) => {
                known.remove(index);
                // which times there are
                others.extend((id == TIMES).then_some(content[0] & !1));
            }
            None => others.extend_from_slice(&extra[..4 + content.len()]),
        }
        extra = &rest[content.len()..];
    }
    others.extend_from_slice(extra);
    others
}

fn method_name(method: u16) -> String {
    match method {
        0 => "stored".into(),
        8 => "deflate".into(),
        12 => "bzip2, not read".into(),
        14 => "lzma, not read".into(),
        93 => "zstd, not read".into(),
        95 => "xz, not read".into(),
        other => format!("{other}, not read"),
    }
}

/// Adds a member to the index. A member of a method that is not read is added as it is stored.
fn member(
    source: &Shared,
    budget: &Arc<Budget>,
    entry: &Entry,
    index: &mut Index,
    known: &mut DescribedRanges,
) -> Result<()> {
    let header = source.exactly(LAYER, entry.local, LOCAL)?;
    let r = Record::new(LAYER, entry.local, &header);
    if r.slice(0, 4)? != b"PK\x03\x04" {
        return Err(r.error(0, "no local header"));
    }
    let (name_len, extra_len) = (r.le16(26)?, r.le16(28)?);
    let texts_len = usize::from(name_len) + usize::from(extra_len);
    let texts = source.exactly(LAYER, entry.local + LOCAL as u64, texts_len)?;
    let start = entry.local + (LOCAL + texts_len) as u64;
    let behind = start.checked_add(entry.packed).filter(|end| *end <= source.size().unwrap_or(0));
    let behind = behind.ok_or_else(|| r.error(18, "a member that ends behind the archive"))?;
    let descriptor = descriptor(source, entry, behind)?;
    known.add(entry.local, behind + descriptor - entry.local)?;
    index.rest(entry.local, &leftover(entry, &header, &texts, descriptor > 0))?;

    let extra = texts.get(usize::from(name_len)..).unwrap_or_default();
    let mut metadata = entry.metadata(extra);
    let packed: Shared = Arc::new(Slice::new(source.clone(), start, entry.packed));
    let encrypted = entry.flags & 1 != 0;
    let read = !encrypted && matches!(entry.method, 0 | 8);
    let unpacked = (read && entry.method == 8)
        .then(|| Arc::new(Unpacked::new(packed.clone(), Codec::Deflate, 0, budget.clone())));
    let content: Shared = match &unpacked {
        Some(unpacked) => unpacked.clone(),
        None => packed.clone(),
    };
    let size = if unpacked.is_some() { entry.size } else { entry.packed };
    let mut crc = Crc::new();
    let digest = index.hash(&*content, entry.local, size, &mut |bytes| crc.update(bytes))?;
    if let Some(unpacked) = unpacked {
        index.packings.push(Packing::new(&entry.name, Codec::Deflate, packed, budget));
        let end = unpacked.finish()?;
        if (end.size, end.raw) != (entry.size, entry.packed) {
            let why = format!(
                "a member of {} bytes, packed {}, that unpacks {} to {}",
                entry.size, entry.packed, end.raw, end.size
            );
            return Err(Error::new(LAYER, entry.local, why));
        }
    }
    if entry.method == 0 && entry.size != entry.packed {
        metadata.more.push(("size of the stored bytes", entry.size.to_string()));
    }
    if encrypted {
        metadata.more.push(("encrypted", "not read".into()));
    }
    if read && crc.sum() != entry.crc {
        metadata.more.push(("wrong checksum", format!("{:08x}", entry.crc)));
    }
    if metadata.kind == Kind::Symlink && size <= NAME as u64 {
        metadata.target = Some(content.exactly(LAYER, 0, size as usize)?);
    }
    index.push(&entry.name, metadata, HashedContent { bytes: content, len: size, digest }, entry.at)
}

/// Bytes of the data descriptor behind a member, if it repeats the central directory.
fn descriptor(source: &Shared, entry: &Entry, at: u64) -> Result<u64> {
    if entry.flags & 8 == 0 {
        return Ok(0);
    }
    let bytes = source.up_to(at, 24)?;
    let short = [entry.crc, entry.packed as u32, entry.size as u32].map(u32::to_le_bytes).concat();
    let long =
        [&entry.crc.to_le_bytes()[..], &entry.packed.to_le_bytes(), &entry.size.to_le_bytes()];
    let long = long.concat();
    for magic in [&b"PK\x07\x08"[..], b""] {
        for numbers in [&long, &short] {
            if bytes.starts_with(&[magic, numbers].concat()) {
                return Ok((magic.len() + numbers.len()) as u64);
            }
        }
    }
    Ok(0)
}

/// The bytes of a local header that the central directory does not repeat.
fn leftover(entry: &Entry, header: &[u8], texts: &[u8], descriptor: bool) -> Vec<u8> {
    let mut rest = header[4..26].to_vec();
    // version, flags, method, time, date, checksum, sizes
    // what is otherwise there counts, even if it is nothing
    let mut other = Vec::new();
    if rest[..10] == entry.bytes[6..16] {
        rest[..10].fill(0);
    } else {
        other.push(1);
    }
    let numbers = &entry.bytes[16..28];
    if rest[10..] == *numbers || descriptor && rest[10..].iter().all(|byte| *byte == 0) {
        rest[10..].fill(0);
    } else {
        other.push(2);
    }
    let name_len = usize::from(u16::from_le_bytes([header[26], header[27]])).min(texts.len());
    let (name, extra) = texts.split_at(name_len);
    if name != entry.name {
        other.push(3);
        rest.extend_from_slice(name);
    }
    rest.extend(other);
    if untold(extra) != untold(&entry.extra) {
        rest.extend(untold(extra));
    }
    // sizes that are not those of the central directory, where they are not elsewhere
    if let Some(sizes) = extra_field(extra, ZIP64) {
        let wanted = [entry.size.to_le_bytes(), entry.packed.to_le_bytes()].concat();
        if !wanted.starts_with(sizes) && !sizes.iter().all(|byte| *byte == 0) {
            rest.extend_from_slice(sizes);
        }
    }
    // the time of the central directory is told only if it is the same
    let mtime = |extra| extra_field(extra, TIMES).and_then(|times| times.get(1..5));
    if mtime(&entry.extra).is_some() && mtime(&entry.extra) != mtime(extra) {
        rest.extend(mtime(&entry.extra).unwrap_or_default());
    }
    rest
}
