//! ELF files (elf(5)): build id and debug link, and the signature behind a kernel module.

use super::field::{DeclaredField, PlacedContent, Region, be32, le16, le32, le64, shown};
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// Sections that are looked at; a kernel module has about fifty, a large program some thousand.
const SECTIONS: u16 = 4_096;

/// Ends a signed module (Linux, kernel/module_signature.c).
const SIGNED: &[u8] = b"~Module signature appended~\n";
/// Bytes of `struct module_signature`, behind the message.
const STRUCT: usize = 12;

pub(super) fn regions(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let bytes = content.bytes;
    if !bytes.starts_with(b"\x7fELF") || *bytes.get(5)? != 1 {
        return None;
    }
    let mut found = sections(bytes).unwrap_or_default();
    if let Some(range) = signature(bytes) {
        let shown = format!("{} bytes", range.len());
        let signer = rsa_signer(&bytes[range.clone()]);
        found.push(Region { range, field: DeclaredField::ModuleSignature(signer), shown });
    }
    found.sort_by_key(|region| region.range.start);
    // ranges of a file that lies may overlap
    let apart = found.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start);
    (apart && !found.is_empty()).then_some(found)
}

/// The build id and the debug link's checksum, as the section headers place them.
fn sections(bytes: &[u8]) -> Option<Vec<Region>> {
    let wide = *bytes.get(4)? == 2;
    let number = |at| if wide { le64(bytes, at) } else { le32(bytes, at).map(u64::from) };
    let start = number(if wide { 40 } else { 32 })?;
    let (size, count, names) = if wide { (58, 60, 62) } else { (46, 48, 50) };
    let (size, count) = (u64::from(le16(bytes, size)?), le16(bytes, count)?.min(SECTIONS));
    let header = |index: u16| {
        let at = usize::try_from(start.checked_add(u64::from(index).checked_mul(size)?)?).ok()?;
        let (offset, len) = if wide { (24, 32) } else { (16, 20) };
        let from = usize::try_from(number(at.checked_add(offset)?)?).ok()?;
        let len = usize::try_from(number(at.checked_add(len)?)?).ok()?;
        let range = from..from.checked_add(len)?;
        bytes.get(range.clone())?;
        Some((le32(bytes, at)?, le32(bytes, at.checked_add(4)?)?, range))
    };
    let texts = header(le16(bytes, names)?)?.2;
    let mut found = Vec::new();
    for (name, kind, range) in (0..count).filter_map(header) {
        let name = bytes[texts.clone()].get(name as usize..)?.split(|byte| *byte == 0).next()?;
        // SHT_NOTE: name's length, length, type 3, `GNU`
        if kind == 7 && name == b".note.gnu.build-id" {
            let note = &bytes[range.clone()];
            let len = le32(note, 4)? as usize;
            if le32(note, 0)? == 4 && le32(note, 8)? == 3 && note.get(12..16)? == b"GNU\0" {
                let id = range.start + 16..range.start.checked_add(16)?.checked_add(len)?;
                if id.end <= range.end && len <= 64 {
                    let shown = shown(&bytes[id.clone()]);
                    found.push(Region { range: id, field: DeclaredField::BuildId, shown });
                }
            }
        }
        // a name, zeros up to a multiple of four, four bytes of CRC
        if name == b".gnu_debuglink" {
            let section = &bytes[range.clone()];
            let end = section.iter().position(|byte| *byte == 0)? + 1;
            let crc = end.next_multiple_of(4);
            if crc + 4 == section.len() {
                let crc = range.start + crc..range.end;
                let shown = shown(&bytes[crc.clone()]);
                found.push(Region { range: crc, field: DeclaredField::DebugLink, shown });
            }
        }
    }
    Some(found)
}

/// SHA-256 of all that a CMS message says before its RSA signature: the signer and the algorithms. An RSA signature
/// (PKCS#1 v1.5, which the kernel takes) has no random part, so that one signer gives equal modules equal ones.
/// `None`: another algorithm, or no message of that shape.
fn rsa_signer(signature: &[u8]) -> Option<[u8; 32]> {
    /// The begin of the object identifiers of PKCS#1.
    const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
    let message = signature.get(..signature.len().checked_sub(STRUCT)?)?;
    let about = [256_usize, 384, 512, 1024].into_iter().find_map(|len| {
        let about = message.len().checked_sub(len)?;
        // an octet string of that length
        let head = [4, 0x82, (len >> 8) as u8, len as u8];
        message[..about].ends_with(&head).then(|| &message[..about])
    })?;
    memchr::memmem::find(about, PKCS1)?;
    Some(Sha256::digest(about).into())
}

/// The signature and its length: a CMS message, twelve bytes of `struct module_signature`, a magic.
fn signature(bytes: &[u8]) -> Option<Range<usize>> {
    let end = bytes.strip_suffix(SIGNED)?.len();
    let about = end.checked_sub(STRUCT)?;
    let len = usize::try_from(be32(bytes, about + 8)?).ok()?;
    let start = about.checked_sub(len)?;
    let message = &bytes[start..about];
    // one DER sequence of that very length; all else of the struct is zero but for PKCS#7's number
    let whole = message.starts_with(&[0x30, 0x82])
        && usize::from(u16::from_be_bytes([message[2], *message.get(3)?])) + 4 == len;
    let plain = bytes[about..about + 8] == [0, 0, 2, 0, 0, 0, 0, 0];
    (whole && plain).then_some(start..end)
}
