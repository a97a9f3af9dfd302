//! ar archives, as GNU and BSD write them. A .deb is one (deb(5)).

use super::index::{Archive, Index, NAME};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::record::printable;
use crate::source::Shared;
use crate::tree::{Kind, Metadata};
use std::sync::Arc;

pub(crate) const MAGIC: &[u8; 8] = b"!<arch>\n";

const AR: &str = "ar";

const HEADER: usize = 60;

/// Bytes of GNU's table of long names.
const NAMES: usize = 16 << 20;

pub(crate) fn open(source: &Shared, budget: Arc<Budget>) -> Result<Archive> {
    let first = source.up_to(MAGIC.len() as u64, 13)?;
    let layer = if first == b"debian-binary" { "deb" } else { AR };
    let mut index = Index::new(layer, budget)?;
    let mut names = Vec::new();
    let mut at = MAGIC.len() as u64;
    loop {
        let header = source.up_to(at, HEADER)?;
        if header.is_empty() {
            return Ok(index.finish(Vec::new()));
        }
        let here = at;
        let broken = |why: &str| Error::new(layer, here, why);
        if header.len() < HEADER || &header[58..60] != b"`\n" {
            return Err(broken("no member begins here"));
        }
        let number = |from: usize, to: usize, radix| -> Result<u64> {
            let text = std::str::from_utf8(&header[from..to]).unwrap_or("?").trim_end();
            if text.is_empty() {
                return Ok(0);
            }
            u64::from_str_radix(text, radix).map_err(|_| broken("no number"))
        };
        let mut start = at + HEADER as u64;
        let mut size = number(48, 58, 10)?;
        let end = start + size;
        at = end.next_multiple_of(2);
        index.rest(here, &leftover(&header, source, end, at)?)?;
        let raw = header[..16].trim_ascii_end();
        let name = if raw == b"//" {
            if size > NAMES as u64 {
                return Err(broken("a table of names that is too long"));
            }
            names = source.exactly(layer, start, size as usize)?;
            // a name may stand there that no member has
            index.rest(here, &names)?;
            continue;
        } else if let Some(len) = raw.strip_prefix(b"#1/") {
            // BSD: the name stands before the content
            let len = std::str::from_utf8(len).ok().and_then(|len| len.parse::<u64>().ok());
            let len = len.filter(|len| *len <= size && *len <= NAME as u64);
            let len = len.ok_or_else(|| broken("no length of a name"))?;
            let name = source.exactly(layer, start, len as usize)?;
            (start, size) = (start + len, size - len);
            name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
        } else if let Some(place) = raw.strip_prefix(b"/").filter(|place| !place.is_empty()) {
            // GNU: the name is in the table
            let place = std::str::from_utf8(place).ok().and_then(|place| place.parse().ok());
            let name = place.and_then(|place: usize| names.get(place..));
            let name = name.and_then(|name| name.split(|byte| *byte == b'\n').next());
            let name = name.or_else(|| (raw == b"/SYM64/").then_some(b"/SYM64"));
            let name = name.ok_or_else(|| broken("a name that is not in the table"))?;
            name.strip_suffix(b"/").unwrap_or(name).to_vec()
        } else {
            // GNU ends names with a slash; the table of symbols is called just that
            raw.strip_suffix(b"/").filter(|name| !name.is_empty()).unwrap_or(raw).to_vec()
        };
        if name.len() > NAME {
            return Err(broken("a name that is too long"));
        }
        let mut about = Metadata::new(Kind::File);
        if raw != name {
            about.more.push(("stored name", printable(raw)));
        }
        about.mtime = i64::try_from(number(16, 28, 10)?).ok();
        about.uid = u32::try_from(number(28, 34, 10)?).ok();
        about.gid = u32::try_from(number(34, 40, 10)?).ok();
        about.mode = u32::try_from(number(40, 48, 8)?).ok().map(|mode| mode & 0o7777);
        index.add(&name, about, source, start, size)?;
    }
}

/// The bytes of a header that no metadata tells: fields that are not written as ar and dpkg-deb
/// write them, and a padding byte behind the member that is no newline.
fn leftover(header: &[u8], source: &Shared, end: u64, next: u64) -> Result<Vec<u8>> {
    let mut rest = header.to_vec();
    // of a mode, the permissions are told; all members are regular files
    let other = !header[40..48].starts_with(b"100");
    // the name, the digits, the blanks behind them, the mark of the end
    rest[..16].fill(0);
    for field in [16..28, 28..34, 34..40, 40..48, 48..58] {
        let text = &mut rest[field];
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let canonical = digits > 0 && (text[0] != b'0' || digits == 1);
        if canonical && text[digits..].iter().all(|byte| *byte == b' ') {
            text.fill(0);
        }
    }
    rest[58..].fill(0);
    if other {
        rest[40..48].copy_from_slice(&header[40..48]);
    }
    let padding = source.up_to(end, (next - end) as usize)?;
    rest.extend(padding.iter().filter(|byte| **byte != b'\n'));
    Ok(rest)
}
