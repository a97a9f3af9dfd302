//! ELF files (elf(5)): the build id, which is the note of ld's --build-id, and what stands behind the
//! file: an AppImage is a program with a squashfs behind it.

use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::{Record, hex};
use crate::source::{Shared, Slice, Source, used};
use crate::tree::{Content, Named, Node, Part, Tree};
use std::sync::Arc;

pub(crate) const MAGIC: &[u8; 4] = b"\x7fELF";

const LAYER: &str = "ELF";

/// Most program headers; executables have about twelve.
const HEADERS: u16 = 256;

/// Bytes of a segment of notes that are read.
const NOTES: u64 = 1 << 16;

/// An open ELF file. Its build id and the bytes behind it are told; its own bytes are compared as
/// they are.
pub struct Elf {
    source: Shared,
    build_id: Option<String>,
    /// Offset behind the last segment, section and table.
    end: u64,
}

impl Elf {
    pub fn open(source: &Shared) -> Result<Elf> {
        let bytes = source.up_to(0, 64)?;
        let r = Record::new(LAYER, 0, &bytes);
        // images hold no big-endian programs
        let header = match r.u8(5)? {
            1 => Some(Header::read(&r)?),
            _ => None,
        };
        let size = source.size()?;
        let (build_id, end) = match header {
            Some(header) => (header.build_id(&**source)?, header.end(&**source)?.min(size)),
            None => (None, size),
        };
        Ok(Elf { source: source.clone(), build_id, end })
    }

    /// In hexadecimal.
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }
}

/// A table of headers: offset, bytes of an entry, number of entries.
type Table = (u64, u16, u16);

/// The places of the tables in an ELF header.
struct Header {
    /// 64 bits.
    wide: bool,
    segments: Table,
    sections: Table,
}

impl Header {
    fn read(r: &Record<'_>) -> Result<Header> {
        let wide = match r.u8(4)? {
            1 => false,
            2 => true,
            other => return Err(r.error(4, format!("class {other}"))),
        };
        let (segments, sections) = if wide {
            ((r.le64(32)?, r.le16(54)?, r.le16(56)?), (r.le64(40)?, r.le16(58)?, r.le16(60)?))
        } else {
            let (segments, sections) = (r.le32(28)?.into(), r.le32(32)?.into());
            ((segments, r.le16(42)?, r.le16(44)?), (sections, r.le16(46)?, r.le16(48)?))
        };
        if segments.2 > HEADERS {
            return Err(r.error(0, format!("{} program headers", segments.2)));
        }
        let needed = if wide { 56 } else { 32 };
        if segments.1 < needed && segments.2 > 0 {
            return Err(r.error(0, format!("program headers of {} bytes", segments.1)));
        }
        Ok(Header { wide, segments, sections })
    }

    /// Calls `each` with type, offset and bytes of every segment.
    fn each_segment(
        &self,
        source: &dyn Source,
        each: &mut dyn FnMut(u32, u64, u64) -> Result<()>,
    ) -> Result<()> {
        let (start, size, count) = self.segments;
        for index in 0..u64::from(count) {
            let at = start.saturating_add(index * u64::from(size));
            let header = source.exactly(LAYER, at, if self.wide { 56 } else { 32 })?;
            let h = Record::new(LAYER, at, &header);
            let (offset, len) = if self.wide {
                (h.le64(8)?, h.le64(32)?)
            } else {
                (h.le32(4)?.into(), h.le32(16)?.into())
            };
            each(h.le32(0)?, offset, len)?;
        }
        Ok(())
    }

    fn build_id(&self, source: &dyn Source) -> Result<Option<String>> {
        let mut found = None;
        self.each_segment(source, &mut |kind, offset, len| {
            // PT_NOTE
            if kind == 4 && found.is_none() {
                let notes = source.up_to(offset, len.min(NOTES) as usize)?;
                found = note_of(Record::new(LAYER, offset, &notes));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Offset behind the last segment, section and table.
    fn end(&self, source: &dyn Source) -> Result<u64> {
        let mut end = 64;
        self.each_segment(source, &mut |_, offset, len| {
            end = end.max(offset.saturating_add(len));
            Ok(())
        })?;
        let (start, size, count) = self.sections;
        let table = u64::from(size) * u64::from(count);
        if start > 0 {
            end = end.max(start.saturating_add(table));
        }
        // without a whole table there is no saying where the file ends; its bytes are compared anyway
        let bytes = source.up_to(start, table as usize)?;
        if usize::from(size) >= if self.wide { 64 } else { 40 } {
            for entry in bytes.chunks_exact(size.into()) {
                let s = Record::new(LAYER, start, entry);
                let (offset, len) = if self.wide {
                    (s.le64(24)?, s.le64(32)?)
                } else {
                    (s.le32(16)?.into(), s.le32(20)?.into())
                };
                // SHT_NOBITS takes no room in the file
                if s.le32(4)? != 8 {
                    end = end.max(offset.saturating_add(len));
                }
            }
        }
        Ok(end)
    }
}

/// The note NT_GNU_BUILD_ID, if the segment has it.
fn note_of(r: Record<'_>) -> Option<String> {
    let mut at = 0;
    loop {
        let name_len = usize::try_from(r.le32(at).ok()?).ok()?;
        let len = usize::try_from(r.le32(at + 4).ok()?).ok()?;
        let kind = r.le32(at + 8).ok()?;
        let name = r.slice(at + 12, name_len).ok()?;
        let start = (at + 12).checked_add(name_len)?.checked_next_multiple_of(4)?;
        let content = r.slice(start, len).ok()?;
        if kind == 3 && name == b"GNU\0" {
            return Some(hex(content));
        }
        at = start.checked_add(len)?.checked_next_multiple_of(4)?;
    }
}

impl Tree for Elf {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        let id = self.build_id.as_deref().unwrap_or("none");
        vec![Field::new(FieldKind::BuildId, "build id", id)]
    }

    fn whole(&self) -> bool {
        false
    }

    fn flat(&self) -> bool {
        true
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(0))
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        Ok(Vec::new())
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let len = self.source.size()?.saturating_sub(self.end);
        if used(&*self.source, self.end, len)?.is_none() {
            return Ok(Vec::new());
        }
        let behind = Arc::new(Slice::new(self.source.clone(), self.end, len));
        Ok(vec![Part::bytes("[behind the program]", Some(self.end), behind)])
    }

    fn open(&self, file: &Node) -> Result<Content> {
        Err(Error::new(LAYER, file.handle, "no such member"))
    }
}
