//! tar: ustar, pax and GNU (POSIX.1-2024 pax, GNU tar manual "Basic Tar Format").

use super::index::{Archive, Index, NAME};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::field::FieldKind::Layout;
use crate::record::{Record, printable};
use crate::source::Shared;
use crate::tree::{Kind, Metadata};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) const LAYER: &str = "tar";

const BLOCK: u64 = 512;

/// Bytes of the extended header of one member.
const EXTENDED: u64 = 1 << 20;

/// `true` if bytes begin with a header of ustar or GNU, whose checksum fits.
pub(crate) fn is_tar(start: &[u8]) -> bool {
    start.len() >= 512 && &start[257..262] == b"ustar" && checksum(start)
}

fn checksum(header: &[u8]) -> bool {
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
        .sum();
    number(&header[148..156]) == Some(sum)
}

/// Extended headers: keys with values.
type Pax = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) fn open(source: &Shared, budget: Arc<Budget>) -> Result<Archive> {
    let mut index = Index::with_slashes(LAYER, budget)?;
    let (mut global, mut pax) = (Pax::new(), Pax::new());
    let (mut long_name, mut long_link) = (None, None);
    let mut formats = BTreeSet::new();
    // the header of the extended header before a member, and its offset
    let mut extended: Option<(u64, Vec<u8>)> = None;
    let mut at = 0;
    loop {
        let header = source.up_to(at, BLOCK as usize)?;
        if header.is_empty() || header.iter().all(|byte| *byte == 0) {
            if let Some((here, extended)) = extended {
                index.rest(here, &leftover(&extended, &[]))?;
            }
            // of no member
            for text in pax.values().chain(&long_name).chain(&long_link) {
                index.rest(at, text)?;
            }
            index.trailer(source, at)?;
            let formats: Vec<_> = formats.into_iter().collect();
            return Ok(index.finish(vec![Field::new(Layout, "formats", formats.join(", "))]));
        }
        if header.len() < BLOCK as usize {
            return Err(Error::new(LAYER, at, "a header that is cut off"));
        }
        if !checksum(&header) {
            return Err(Error::new(LAYER, at, "a header whose checksum does not fit"));
        }
        let r = Record::new(LAYER, at, &header);
        let field = |from: usize, len: usize| -> Result<u64> {
            number(r.slice(from, len)?).ok_or_else(|| r.error(from, "no number"))
        };
        let pax_value = |key: &[u8]| pax.get(key).or_else(|| global.get(key));
        let size = match pax_value(b"size") {
            Some(size) => decimal(size).ok_or_else(|| r.error(0, "no number"))?,
            None => field(124, 12)?,
        };
        let start = at + BLOCK;
        let end = size
            .checked_next_multiple_of(BLOCK)
            .and_then(|len| start.checked_add(len))
            .ok_or_else(|| r.error(124, format!("a member of {size} bytes")))?;
        let here = at;
        at = end;
        let padding = source.up_to(start.saturating_add(size), (end - start - size) as usize)?;
        index.rest(here, &padding)?;
        let limited = |most: u64| -> Result<Vec<u8>> {
            if size > most {
                return Err(r.error(124, format!("a header of {size} bytes")));
            }
            source.exactly(LAYER, start, size as usize)
        };
        formats.insert(format(&header).unwrap_or("other"));
        let kind = r.u8(156)?;
        if matches!(kind, b'x' | b'g' | b'L' | b'K') {
            match kind {
                b'x' if extended.is_none() => extended = Some((here, header.clone())),
                _ => index.rest(here, &leftover(&header, &[]))?,
            }
            let content =
                limited(if matches!(kind, b'x' | b'g') { EXTENDED } else { NAME as u64 })?;
            match kind {
                b'x' | b'g' => {
                    let (records, odd) = records(&content, start)?;
                    // a second one hides the first, which some programs read and others do not
                    let hidden = if kind == b'x' { std::mem::take(&mut pax) } else { Pax::new() };
                    let untold = records.iter().filter(|(key, _)| kind == b'g' || !is_told(key));
                    for (key, value) in hidden.iter().chain(untold) {
                        index.rest(start, &[key, &b"="[..], value].concat())?;
                    }
                    index.rest(start, &odd)?;
                    if kind == b'x' { pax = records } else { global.extend(records) }
                }
                _ => {
                    let text = until_zero(&content);
                    index.rest(start, &content[text.len()..])?;
                    let long = if kind == b'L' { &mut long_name } else { &mut long_link };
                    let hidden: Option<Vec<u8>> = long.replace(text.to_vec());
                    index.rest(start, &hidden.unwrap_or_default())?;
                }
            }
            continue;
        }
        let text = |key: &[u8], from: usize, len: usize| -> Result<Vec<u8>> {
            match pax_value(key) {
                Some(value) => Ok(value.clone()),
                None => Ok(until_zero(r.slice(from, len)?).to_vec()),
            }
        };
        let mut name = text(b"path", 0, 100)?;
        // ustar has the front of a long path elsewhere, where GNU keeps other things
        if pax_value(b"path").is_none() && r.slice(257, 6)? == b"ustar\0" {
            let prefix = until_zero(r.slice(345, 155)?);
            name = crate::tree::join(prefix, &name);
        }
        let mut told = told_texts(&header);
        // a long name is told in place of the short one
        told.retain(|(at, _)| match at {
            0 | 345 => long_name.is_none() && pax_value(b"path").is_none(),
            157 => long_link.is_none() && pax_value(b"linkpath").is_none(),
            265 => pax_value(b"uname").is_none(),
            297 => pax_value(b"gname").is_none(),
            _ => true,
        });
        index.rest(here, &leftover(&header, &told))?;
        let mut usual = false;
        if let Some((here, extended)) = extended.take() {
            let mut rest = leftover(&extended, &[]);
            usual = is_usual(&extended, &header, &name);
            if usual {
                for (at, len) in [(0, 100), (100, 8), (108, 8), (116, 8), (136, 12), (156, 1)] {
                    rest[at..at + len].fill(0);
                }
            }
            index.rest(here, &rest)?;
        }
        let other_name = long_name.is_some().then(|| pax_value(b"path")).flatten();
        let name = long_name.take().unwrap_or(name);
        let is_long = long_link.is_some() || pax_value(b"linkpath").is_some();
        let other_link = long_link.is_some().then(|| pax_value(b"linkpath")).flatten();
        let link = match long_link.take() {
            Some(link) => link,
            None => text(b"linkpath", 157, 100)?,
        };
        let mut about = Metadata::new(match kind {
            b'2' => Kind::Symlink,
            b'3' => Kind::Char,
            b'4' => Kind::Block,
            b'5' => Kind::Folder,
            b'6' => Kind::Fifo,
            _ => Kind::File,
        });
        let id = |key: &[u8], from| -> Result<Option<u32>> {
            let n = match pax_value(key).and_then(|value| decimal(value)) {
                Some(n) => n,
                None => field(from, 8)?,
            };
            Ok(u32::try_from(n).ok())
        };
        let mode = field(100, 8)?;
        about.mode = Some((mode & 0o7777) as u32);
        if mode > 0o7777 {
            about.more.push(("other bits of the mode", format!("{:o}", mode & !0o7777)));
        }
        // names, links and numbers that others stand for here, and that some programs go by
        for (what, text) in [("second name", other_name), ("second link", other_link)] {
            about.more.extend(text.map(|text| (what, printable(text))));
        }
        if is_long && !matches!(kind, b'1' | b'2') {
            about.more.push(("link of no link", printable(&link)));
        }
        let numbers: [(&[u8], _, _, _); 4] = [
            (b"size", "size in the header", 124, 12),
            (b"uid", "owner in the header", 108, 8),
            (b"gid", "group in the header", 116, 8),
            (b"mtime", "time in the header", 136, 12),
        ];
        for (key, what, from, len) in numbers {
            let Some(value) = pax_value(key) else { continue };
            let whole = value.split(|byte| *byte == b'.').next().unwrap_or_default();
            let number = field(from, len)?;
            if decimal(whole) != Some(number) {
                let value = if key == b"mtime" { String::new() } else { printable(value) };
                about.more.push((what, format!("{number} {value}").trim_end().to_owned()));
            }
        }
        about.uid = id(b"uid", 108)?;
        about.gid = id(b"gid", 116)?;
        about.mtime = i64::try_from(field(136, 12)?).ok();
        for (key, what) in
            [(&b"mtime"[..], "exact mtime"), (b"atime", "access time"), (b"ctime", "change time")]
        {
            if let Some(time) = pax_value(key) {
                about.more.push((what, printable(time)));
                if key == b"mtime" {
                    let seconds = time.split(|byte| *byte == b'.').next().unwrap_or_default();
                    about.mtime = std::str::from_utf8(seconds).ok().and_then(|s| s.parse().ok());
                }
            }
        }
        about.more.push(("user name", printable(&text(b"uname", 265, 32)?)));
        about.more.push(("group name", printable(&text(b"gname", 297, 32)?)));
        match kind {
            b'1' => about.more.push(("hard link to", printable(&link))),
            b'2' => about.target = Some(link),
            b'3' | b'4' => {
                let part = |from| -> Result<u32> { Ok(field(from, 8)? as u32) };
                about.device = Some((part(329)?, part(337)?));
            }
            b'0' | 0 | b'5' | b'6' | b'7' => {}
            other => about.more.push(("type", printable(&[other]))),
        }
        let of_all = global.iter().filter(|(key, _)| !pax.contains_key(*key));
        for (key, value) in of_all.chain(&pax) {
            if let Some(name) = xattr_name(key) {
                about.xattrs.push((name.to_vec(), value.clone()));
            }
        }
        about.xattrs.sort_by(|(a, _), (b, _)| a.cmp(b));
        if usual {
            about.more.push(("extended header", "as GNU tar names it".to_owned()));
        }
        pax = Pax::new();
        index.add(&name, about, source, start, size)?;
    }
}

/// `true` if the header of an extended header is as GNU tar makes it of the member's: `FOLDER/PaxHeaders/NAME`,
/// mode 644, root's, and with the same time.
fn is_usual(extended: &[u8], member: &[u8], name: &[u8]) -> bool {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let cut = name.iter().rposition(|byte| *byte == b'/');
    let (folder, name) = match cut {
        Some(cut) => (&name[..cut], &name[cut + 1..]),
        None => (&b"."[..], name),
    };
    let wanted = [folder, b"/PaxHeaders/", name].concat();
    wanted.len() < 100
        && extended[..wanted.len()] == wanted
        && extended[wanted.len()..100].iter().all(|byte| *byte == 0)
        && extended[100..124] == *b"0000644\x000000000\x000000000\0"
        && extended[136..148] == member[136..148]
}

/// Format of a header by its magic and version.
fn format(header: &[u8]) -> Option<&'static str> {
    match &header[257..265] {
        b"ustar\x0000" => Some("POSIX"),
        b"ustar  \0" => Some("GNU"),
        _ => None,
    }
}

/// Places and lengths of the texts in a member's header that metadata tells.
fn told_texts(header: &[u8]) -> Vec<(usize, usize)> {
    let mut texts = vec![(0, 100), (265, 32), (297, 32)];
    if matches!(header[156], b'1' | b'2') {
        texts.push((157, 100));
    }
    if header[257..263] == *b"ustar\0" {
        texts.push((345, 155));
    }
    texts
}

/// `true` for the keys of extended headers that metadata tells.
fn is_told(key: &[u8]) -> bool {
    const KEYS: [&[u8]; 10] = [
        b"path",
        b"linkpath",
        b"size",
        b"uid",
        b"gid",
        b"uname",
        b"gname",
        b"mtime",
        b"atime",
        b"ctime",
    ];
    KEYS.contains(&key) || xattr_name(key).is_some()
}

/// The name of the extended attribute that a key stands for.
fn xattr_name(key: &[u8]) -> Option<&[u8]> {
    [&b"SCHILY.xattr."[..], b"LIBARCHIVE.xattr."]
        .iter()
        .find_map(|prefix| key.strip_prefix(*prefix))
}

/// The bytes of a header that no metadata tells: texts that are not in `told`, the bytes behind the
/// end of a text, numbers that are not written in the digits of GNU tar, fields that this kind of
/// member does not use. `told` is empty for the header of an extended header.
fn leftover(header: &[u8], told: &[(usize, usize)]) -> Vec<u8> {
    let mut rest = header.to_vec();
    let kind = header[156];
    for (at, len) in told {
        let used = until_zero(&header[*at..at + len]).len();
        rest[*at..at + used].fill(0);
    }
    let device = matches!(kind, b'3' | b'4');
    let numbers = [(100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (329, 8), (337, 8)];
    for (at, len) in numbers {
        let field = &header[at..at + len];
        let digits = field.iter().take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
        let is_told = match at {
            124 => true,
            329 | 337 => device || number(field) == Some(0),
            _ => !told.is_empty(),
        };
        if is_told && digits == len - 1 && field[digits] == 0 {
            rest[at..at + len].fill(0);
        }
    }
    // the checksum was checked; GNU tar writes six digits, a zero and a blank, others seven digits and a zero
    let digits = header[148..156].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 6 && header[154..156] == *b"\0 " {
        rest[148..156].fill(0);
    } else if digits == 7 && header[155] == 0 {
        rest[148..156].copy_from_slice(b"7 digits");
    }
    // the kinds that metadata tells apart
    if matches!(kind, b'0'..=b'6') {
        rest[156] = 0;
    }
    // told as a field
    if format(header).is_some() {
        rest[257..265].fill(0);
    }
    rest
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// Octal digits between blanks and zeros; or, with the first bit set, a number with its big end
/// first, as GNU writes what is too large.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (front, low) = field.split_at(field.len().checked_sub(8)?);
        let small = front.iter().skip(1).all(|byte| *byte == 0) && front.first() == Some(&0x80);
        // an eight byte field has its mark in the number
        let low: [u8; 8] = low.try_into().ok()?;
        return match front.is_empty() {
            true => Some(u64::from_be_bytes(low) & (u64::MAX >> 1)),
            false => small.then_some(u64::from_be_bytes(low)),
        };
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Records of an extended header: `LEN KEY=VALUE\n`.
///
/// The second result has what the keys and values do not tell: an earlier value of the same key, lengths that are
/// written otherwise than usual, bytes behind the last record.
fn records(mut bytes: &[u8], offset: u64) -> Result<(Pax, Vec<u8>)> {
    let mut pax = Pax::new();
    let mut odd = Vec::new();
    while !bytes.is_empty() && bytes[0] != 0 {
        let record = record(bytes)
            .ok_or_else(|| Error::new(LAYER, offset, "an extended header that is none"))?;
        let (len, key, value) = record;
        odd.extend(pax.insert(key.to_vec(), value.to_vec()).unwrap_or_default());
        if !bytes.starts_with(format!("{len} ").as_bytes()) {
            odd.extend_from_slice(&bytes[..len]);
        }
        bytes = &bytes[len..];
    }
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    odd.extend_from_slice(&bytes[..used]);
    Ok((pax, odd))
}

fn record(bytes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let len: usize = std::str::from_utf8(&bytes[..blank]).ok()?.parse().ok()?;
    let body = bytes.get(blank + 1..len)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((len, &body[..equals], &body[equals + 1..]))
}
