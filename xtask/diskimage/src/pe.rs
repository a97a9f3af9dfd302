//! PE files (Microsoft, PE Format): EFI programs, and unified kernel images, whose sections hold a
//! kernel, its command line and an initramfs (UAPI group, Unified Kernel Image).

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::ranges::DescribedRanges;
use crate::record::{Record, printable};
use crate::source::{Bytes, Extents, Shared, Source, used};
use crate::tree::{Content, Kind, Listing, Metadata, Named, Node, Part, Tree};
use std::sync::Arc;
use xtask_core::calendar;

pub(crate) const LAYER: &str = "PE";

/// Sections; the specification allows 96.
const SECTIONS: u16 = 96;

/// Bytes of a section header.
const SECTION: usize = 40;

/// Bytes that are summed up at a time; even.
const CHUNK: usize = 1 << 18;

/// Bytes of zeros behind a section, which belong to it: linkers fill up to a page.
const PAGE: u64 = 64 << 10;

/// Bytes before the PE header: DOS headers with a stub program.
const STUB: u32 = 1 << 16;

/// Offset of the checksum behind the start of the PE header.
const CHECKSUM: u64 = 24 + 64;

/// An open PE file.
pub struct Pe {
    source: Shared,
    sections: Vec<Section>,
    /// Bytes of all headers.
    headers: u64,
    /// Offset of the PE header.
    start: u64,
    /// Seconds since 1970, if it is a time at all: linkers also write a hash there.
    linked: u32,
    /// Bytes of the optional header.
    optional: u16,
    budget: Arc<Budget>,
}

struct Section {
    name: Vec<u8>,
    /// Offset and bytes in the file.
    start: u64,
    len: u64,
    /// Bytes in memory, and those that the file keeps, up to its next page.
    in_memory: u64,
    in_file: u64,
    flags: u32,
}

/// Offset of the PE header.
fn header(source: &dyn Source) -> Result<Option<u64>> {
    let start = source.up_to(0, 64)?;
    if start.len() < 64 || !start.starts_with(b"MZ") {
        return Ok(None);
    }
    let at = Record::new(LAYER, 0, &start).le32(0x3c)?;
    if at > STUB || source.up_to(at.into(), 4)? != b"PE\0\0" {
        return Ok(None);
    }
    Ok(Some(at.into()))
}

/// `true` if bytes are a PE file.
pub(crate) fn is_pe(source: &dyn Source) -> Result<bool> {
    Ok(header(source)?.is_some())
}

impl Pe {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Pe> {
        let start = header(&*source)?.ok_or_else(|| Error::new(LAYER, 0, "no PE header"))?;
        let bytes = source.exactly(LAYER, start, 24)?;
        let r = Record::new(LAYER, start, &bytes);
        let (count, linked, optional) = (r.le16(6)?, r.le32(8)?, r.le16(20)?);
        if count > SECTIONS {
            return Err(r.error(6, format!("{count} sections")));
        }
        let table = start + 24 + u64::from(optional);
        let len = usize::from(count) * SECTION;
        let bytes = source.exactly(LAYER, table, len)?;
        let size = source.size()?;
        let mut sections = Vec::new();
        for (index, entry) in bytes.chunks_exact(SECTION).enumerate() {
            let r = Record::new(LAYER, table + (index * SECTION) as u64, entry);
            let (in_memory, in_file, place) =
                (u64::from(r.le32(8)?), u64::from(r.le32(16)?), r.le32(20)?);
            let name = entry[..8].split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
            // the rest of the file's last page is padding
            let len = if in_memory == 0 { in_file } else { in_file.min(in_memory) };
            let start = u64::from(place);
            if len > 0 && start + len > size {
                return Err(
                    r.error(20, format!("a section that ends behind the file: {start}+{len}"))
                );
            }
            sections.push(Section { name, start, len, in_memory, in_file, flags: r.le32(36)? });
        }
        Ok(Pe { source, sections, headers: table + len as u64, start, linked, optional, budget })
    }
}

impl Pe {
    /// Returns true if the header holds the checksum of the file (ImageHlp, CheckSumMappedFile): the sum of all
    /// words but its own, with the carry added, and the length.
    fn has_right_checksum(&self) -> Result<bool> {
        let size = self.source.size()?;
        let at = self.start + CHECKSUM;
        if u64::from(self.optional) < CHECKSUM - 24 + 4 || at + 4 > self.headers {
            return Ok(false);
        }
        self.budget.unpack(LAYER, 0, size)?;
        let said = Record::new(LAYER, at, &self.source.exactly(LAYER, at, 4)?).le32(0)?;
        let (mut sum, mut offset) = (0_u64, 0);
        while offset < size {
            let mut bytes = self.source.up_to(offset, CHUNK)?;
            if bytes.is_empty() {
                break;
            }
            for place in at.max(offset)..(at + 4).min(offset + bytes.len() as u64) {
                bytes[(place - offset) as usize] = 0;
            }
            offset += bytes.len() as u64;
            let words = bytes.chunks(2);
            sum += words
                .map(|word| u64::from(word[0]) | u64::from(*word.get(1).unwrap_or(&0)) << 8)
                .sum::<u64>();
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        Ok(u64::from(said) == sum + size)
    }
}

impl Tree for Pe {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new(FieldKind::LinkTime, "time stamp", calendar::utc(self.linked.into()))]
    }

    fn flat(&self) -> bool {
        true
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(u64::MAX))
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        let mut names = Listing::new(LAYER, &self.budget)?;
        for (index, section) in self.sections.iter().enumerate() {
            let mut about = Metadata::new(Kind::File);
            about.size = section.len;
            about.more.push(("flags", format!("{:08x}", section.flags)));
            let same = |other: &&Section| other.name == section.name;
            let mut name = printable(&section.name);
            match self.sections[..index].iter().filter(same).count() {
                0 => {}
                before => name.push_str(&format!("#{}", before + 1)),
            }
            names.push(section.start, name.into_bytes(), Node::new(about, index as u64))?;
        }
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let index = usize::try_from(file.handle).ok();
        let section = index
            .and_then(|index| self.sections.get(index))
            .ok_or_else(|| Error::new(LAYER, file.handle, "no such section"))?;
        let (source, budget) = (self.source.clone(), self.budget.clone());
        let extent = [(Some(section.start), section.len)];
        Ok(Content::Plain(Arc::new(Extents::new(source, LAYER, budget, extent))))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let mut known = DescribedRanges::new(LAYER);
        known.add(0, self.headers)?;
        for section in &self.sections {
            known.add(section.start, section.len)?;
            let (padding, len) = (section.start + section.len, section.in_file - section.len);
            if used(&*self.source, padding, len.min(PAGE))?.is_none() {
                known.add(padding, len.min(PAGE))?;
            }
        }
        let end = self.source.size()?;
        let mut headers = self.source.exactly(LAYER, 0, self.headers as usize)?;
        // the magic, so that this is not taken for another PE file, and the time, which is told
        let time = self.start as usize + 8;
        headers[..2].fill(0);
        headers[time..time + 4].fill(0);
        if self.has_right_checksum()? {
            // it follows from the rest, which is told
            let at = (self.start + CHECKSUM) as usize;
            headers[at..at + 4].fill(0);
        }
        // told as the length of the section
        let table = self.headers as usize - self.sections.len() * SECTION;
        for (entry, section) in headers[table..].chunks_exact_mut(SECTION).zip(&self.sections) {
            if section.in_memory == section.len {
                entry[8..12].fill(0);
            }
        }
        let mut parts = vec![Part::bytes("[headers]", None, Arc::new(Bytes(headers)))];
        parts.extend(known.part("[between the sections]", &self.source, &self.budget, 0, end)?);
        Ok(parts)
    }
}
