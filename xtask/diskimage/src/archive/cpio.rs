//! cpio in the "new" format, and the initramfs of Linux: several archives one after the other, each
//! plain or compressed (Documentation/driver-api/early-userspace/buffer-format.rst).

use super::index::{Archive, Index, NAME};
use super::same_file;
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::printable;
use crate::source::{Shared, Slice};
use crate::tree::{Kind, Metadata};
use crate::unpack::stream::codec_of;
use crate::unpack::{Codec, Packing, Unpacked, header};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) const LAYER: &str = "cpio";

/// Bytes of a name that links show.
const SHOWN: usize = 256;

/// Bytes of a header.
const HEADER: usize = 110;

/// Name of the last member of each archive.
const TRAILER: &[u8] = b"TRAILER!!!";

/// Archives in one initramfs; real ones have up to four.
const PARTS: usize = 64;

/// Zeros between two archives. Linux takes any number; a page is usual.
const PADDING: u64 = 1 << 20;

/// `true` for the magic of a member without or with a checksum.
fn is_cpio(start: &[u8]) -> bool {
    start.starts_with(b"070701") || start.starts_with(b"070702")
}

/// `true` if the bytes are an archive, or unpack to one.
pub(crate) fn is_initramfs(source: &Shared, budget: &Arc<Budget>) -> bool {
    let start = source.up_to(0, 16).unwrap_or_default();
    if is_cpio(&start) {
        return true;
    }
    // the old lzma has no magic; it usually begins with its properties and the size of the dictionary
    let lzma = start.starts_with(&[0x5d, 0, 0]).then_some(Codec::Lzma);
    let Some(codec) = codec_of(&start).or(lzma) else { return false };
    let unpacked: Shared = Arc::new(Unpacked::new(source.clone(), codec, 0, budget.clone()));
    is_cpio(&unpacked.up_to(0, 6).unwrap_or_default())
}

/// Reads all archives of an initramfs.
pub(crate) fn open(source: &Shared, budget: Arc<Budget>) -> Result<Archive> {
    let mut index = Index::new(LAYER, budget.clone())?;
    let mut numbers = Numbers::default();
    let mut parts = Vec::new();
    let mut headers = Vec::new();
    let mut at = 0;
    loop {
        at = skip_zeros(source, at)?;
        let start = source.up_to(at, 16)?;
        if start.is_empty() {
            break;
        }
        if parts.len() == PARTS {
            return Err(Error::new(LAYER, at, format!("more than {PARTS} archives")));
        }
        if is_cpio(&start) {
            parts.push("plain");
            at = archive(source, at, &mut index, &mut numbers)?;
            continue;
        }
        let lzma = start.starts_with(&[0x5d, 0, 0]).then_some(Codec::Lzma);
        let Some(codec) = codec_of(&start).or(lzma) else {
            return Err(Error::new(LAYER, at, "neither an archive nor compressed"));
        };
        parts.push(codec.name());
        let unpacked = Arc::new(Unpacked::new(source.clone(), codec, at, budget.clone()));
        let inner: Shared = unpacked.clone();
        let mut within = 0;
        loop {
            within = skip_zeros(&inner, within)?;
            if inner.up_to(within, 1)?.is_empty() {
                break;
            }
            within = archive(&inner, within, &mut index, &mut numbers)?;
        }
        let end = unpacked.finish()?;
        let stream: Shared = Arc::new(Slice::new(source.clone(), at, end.raw.saturating_sub(at)));
        headers.extend(header::fields(codec, &*stream));
        index.parts.extend(end.untold(source, LAYER, &budget));
        index.packings.push(Packing::new(b"", codec, stream, &budget));
        at = end.raw;
    }
    // which compressor it is, the parts say
    headers.retain(|field| field.name != "compressor");
    let mut fields = vec![
        Field::new(FieldKind::CompressionHeader, "parts", parts.join(", ")),
        Field::new(FieldKind::Layout, "inode and device numbers", numbers.text()),
    ];
    fields.extend(headers);
    Ok(index.finish(fields))
}

/// The inode and device numbers, which mean nothing in an initramfs but make its bytes differ.
#[derive(Default)]
struct Numbers {
    hasher: Sha256,
    first: Option<u32>,
    last: u32,
}

impl Numbers {
    fn add(&mut self, inode: u32, device: (u32, u32)) {
        self.first.get_or_insert(inode);
        self.last = inode;
        for number in [inode, device.0, device.1] {
            self.hasher.update(number.to_le_bytes());
        }
    }

    /// First and last inode number, and a hash of all numbers.
    fn text(self) -> String {
        let hash = crate::record::hex(&self.hasher.finalize()[..4]);
        format!("{} to {} ({hash})", self.first.unwrap_or(0), self.last)
    }
}

/// Members of one archive that Linux makes one file: their inode and device numbers are the same, and they claim
/// several links (init/initramfs.c, find_link). The content of the last is that of all.
#[derive(Default)]
struct Links {
    members: HashMap<(u32, u32, u32, Kind), Vec<usize>>,
}

impl Links {
    fn add(&mut self, number: (u32, u32, u32, Kind), member: usize) {
        self.members.entry(number).or_default().push(member);
    }

    /// Names the first of them, in the order of names, in the metadata of each.
    fn tell(self, index: &mut Index) {
        for members in self.members.into_values().filter(|members| members.len() > 1) {
            let names = members.iter().filter_map(|member| index.members.get(*member));
            let Some(name) = names.map(|member| &member.name).min() else { continue };
            let name = printable(&name[..name.len().min(SHOWN)]);
            for member in &members {
                if let Some(member) = index.members.get_mut(*member) {
                    member.metadata.more.push(("one file with", name.clone()));
                }
            }
            let size = |member: &&usize| index.members.get(**member).map_or(0, |m| m.metadata.size);
            if let Some(last) = members.iter().filter(|member| size(member) > 0).max().copied() {
                same_file::share(&mut index.members, &members, last);
            }
        }
    }
}

/// Offset of the first byte from `at` on that is not zero.
fn skip_zeros(source: &Shared, mut at: u64) -> Result<u64> {
    let end = at + PADDING;
    loop {
        let bytes = source.up_to(at, 4096)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        at += zeros as u64;
        if zeros < bytes.len() || bytes.is_empty() {
            return Ok(at);
        }
        if at > end {
            return Err(Error::new(LAYER, at, format!("more than {PADDING} zeros")));
        }
    }
}

/// Reads one archive and returns the offset behind it.
fn archive(source: &Shared, mut at: u64, index: &mut Index, numbers: &mut Numbers) -> Result<u64> {
    let mut links = Links::default();
    loop {
        let header = source.exactly(LAYER, at, HEADER)?;
        if !is_cpio(&header) {
            return Err(Error::new(LAYER, at, "no member begins here"));
        }
        let [ino, mode, uid, gid, count, mtime, size, major, minor, rmajor, rminor, name_len, _] =
            numbers_of(&header, at)?;
        let name_len = name_len as usize;
        if name_len == 0 || name_len > NAME {
            return Err(Error::new(LAYER, at, format!("a name of {name_len} bytes")));
        }
        let stored = source.exactly(LAYER, at + HEADER as u64, name_len)?;
        let name = stored.strip_suffix(&[0]).unwrap_or(&stored);
        let name_end = at + (HEADER + name_len) as u64;
        let start = name_end.next_multiple_of(4);
        let content_end = start + u64::from(size);
        let end = content_end.next_multiple_of(4);
        // in the order of the bytes: to go back, a compressed archive is unpacked from its start
        let mut rest = leftover(&header, stored.strip_suffix(&[0]), index);
        if !stored.ends_with(&[0]) {
            // Linux skips such a member
            rest.extend(b"a name without its end");
        }
        rest.extend(padding(source, name_end, start)?);
        let content = index.hashed(source, start, u64::from(size))?;
        rest.extend(padding(source, content_end, end)?);
        index.rest(at, &rest)?;
        if name == TRAILER {
            links.tell(index);
            return Ok(end);
        }
        let kind = Kind::of_mode(mode)
            .ok_or_else(|| Error::new(LAYER, at, format!("mode {mode:o} of no known kind")))?;
        let mut about = Metadata::new(kind);
        about.mode = Some(mode & 0o7777);
        about.uid = Some(uid);
        about.gid = Some(gid);
        about.mtime = Some(mtime.into());
        about.links = Some(count);
        if kind == Kind::Symlink {
            if content.len > NAME as u64 {
                return Err(Error::new(LAYER, at, format!("a link of {size} bytes")));
            }
            about.target = Some(source.exactly(LAYER, start, size as usize)?);
        }
        // of anything but a device the numbers mean nothing, and are told where they are there
        if matches!(kind, Kind::Char | Kind::Block) || (rmajor, rminor) != (0, 0) {
            about.device = Some((rmajor, rminor));
        }
        numbers.add(ino, (major, minor));
        if count > 1 && !matches!(kind, Kind::Folder | Kind::Symlink) {
            links.add((ino, major, minor, kind), index.members.len());
        }
        index.push(name, about, content, start)?;
        at = end;
    }
}

/// The bytes of a header that no metadata tells: the checksum, digits in lower case, and the numbers
/// of the trailer.
fn leftover(header: &[u8], name: Option<&[u8]>, index: &Index) -> Vec<u8> {
    let mut rest = Vec::new();
    match [u8::is_ascii_lowercase, u8::is_ascii_uppercase].map(|is| header.iter().any(is)) {
        [true, true] => rest.extend_from_slice(header),
        [true, false] => rest.push(b'a'),
        _ => {}
    }
    // of such a member Linux adds up the bytes
    if header.starts_with(b"070702") {
        rest.push(b'2');
    }
    // a mode has 16 bits
    if header[14..18] != *b"0000" {
        rest.extend_from_slice(&header[14..18]);
    }
    if !header[102..].iter().all(|digit| *digit == b'0') {
        rest.extend_from_slice(&header[102..]);
    }
    if name == Some(TRAILER) {
        // inode, mode, owner, group, links, time, size, devices: all zero but for one link, and the
        // time, which may be that of the members
        let last = index.members.last().and_then(|member| member.metadata.mtime);
        let time = format!("{:08X}", last.unwrap_or(0)).into_bytes();
        let usual = |time: &[u8]| [&[b'0'; 39][..], b"1", time, &[b'0'; 40]].concat();
        let numbers = header[6..94].to_ascii_uppercase();
        if numbers != usual(b"00000000") && numbers != usual(&time) {
            rest.extend(numbers);
        }
    }
    rest
}

/// The bytes between two places, unless all are zero.
fn padding(source: &Shared, from: u64, to: u64) -> Result<Vec<u8>> {
    let padding = source.up_to(from, (to - from) as usize)?;
    let is_zero = padding.iter().all(|byte| *byte == 0);
    Ok(if is_zero { Vec::new() } else { padding })
}

/// The thirteen numbers of a header, eight hexadecimal digits each.
fn numbers_of(header: &[u8], at: u64) -> Result<[u32; 13]> {
    let mut numbers = [0; 13];
    for (number, digits) in numbers.iter_mut().zip(header[6..].chunks_exact(8)) {
        *number = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| Error::new(LAYER, at, "a header with something else than numbers"))?;
    }
    Ok(numbers)
}
