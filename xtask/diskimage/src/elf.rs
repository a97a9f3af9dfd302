//! The build id of an ELF file (elf(5); the note is ld's --build-id).

use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::{Record, hex};
use crate::source::{Shared, Source};
use crate::tree::{Content, Named, Node, Tree};

pub(crate) const MAGIC: &[u8; 4] = b"\x7fELF";

const LAYER: &str = "ELF";

/// Program headers; executables have about twelve.
const HEADERS: u16 = 256;

/// Bytes of notes that are looked at.
const NOTES: u64 = 1 << 16;

/// An ELF file, of which only its build id is told; its bytes are compared as they are.
pub struct Elf {
    build_id: Option<String>,
}

impl Elf {
    pub fn open(source: &Shared) -> Result<Elf> {
        Ok(Elf { build_id: build_id(&**source)? })
    }

    /// In hexadecimal.
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }
}

fn build_id(source: &dyn Source) -> Result<Option<String>> {
    let bytes = source.up_to(0, 64)?;
    let r = Record::new(LAYER, 0, &bytes);
    // little end first only: what Debian has with its big end first nobody builds into an image here
    if r.slice(0, 4)? != MAGIC || r.u8(5)? != 1 {
        return Ok(None);
    }
    let wide = match r.u8(4)? {
        1 => false,
        2 => true,
        other => return Err(r.error(4, format!("class {other}"))),
    };
    let (start, size, count) = if wide {
        (r.le64(32)?, r.le16(54)?, r.le16(56)?)
    } else {
        (u64::from(r.le32(28)?), r.le16(42)?, r.le16(44)?)
    };
    if count > HEADERS {
        return Err(r.error(0, format!("{count} program headers")));
    }
    let needed = if wide { 56 } else { 32 };
    if usize::from(size) < needed && count > 0 {
        return Err(r.error(0, format!("program headers of {size} bytes")));
    }
    for index in 0..u64::from(count) {
        let at = start.saturating_add(index * u64::from(size));
        let header = source.exactly(LAYER, at, needed)?;
        let h = Record::new(LAYER, at, &header);
        let (note, len) = if wide {
            (h.le64(8)?, h.le64(32)?)
        } else {
            (u64::from(h.le32(4)?), u64::from(h.le32(16)?))
        };
        // PT_NOTE
        if h.le32(0)? != 4 {
            continue;
        }
        let notes = source.up_to(note, len.min(NOTES) as usize)?;
        if let Some(id) = note_of(Record::new(LAYER, note, &notes)) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The note NT_GNU_BUILD_ID, if it is here.
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

    fn open(&self, file: &Node) -> Result<Content> {
        Err(Error::new(LAYER, file.handle, "no such member"))
    }
}
