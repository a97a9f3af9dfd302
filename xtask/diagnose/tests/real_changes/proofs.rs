//! The substitutions that a cause may stand for: dates, ids and keys in a file, fields in a layer.

use crate::node::{Kind, Node};
use std::ops::Range;

/// Returns true if the byte is in a field that the cause names.
pub(crate) fn is_field(id: &str, kind: Kind, bytes: &[u8], offset: usize) -> bool {
    fields(kind, bytes, offset)
        .iter()
        .any(|(range, ids)| range.contains(&offset) && ids.iter().any(|x| id.contains(x)))
}

/// Returns true if a date, an id or a version stands around the byte, in both.
pub(crate) fn token(id: &str, leaf: &Node, after: &[u8], offset: usize) -> bool {
    let before = &leaf.bytes;
    if before.len() != after.len() {
        return false;
    }
    match id {
        "build-time" => {
            (offset.saturating_sub(18)..=offset).any(|at| is_date(before, at) && is_date(after, at))
        }
        "machine-id" => leaf.name == "etc/machine-id" && is_id(before) && is_id(after),
        "ssh-host-keys" => leaf.name.contains("ssh_host") && is_pem(before) && is_pem(after),
        // a file with a private key, and nothing else
        "random-id" => {
            let private = |text: &[u8]| text.windows(12).any(|part| part == b"PRIVATE KEY-");
            private(before) && is_pem(before) && is_pem(after)
        }
        "tls-keys" => leaf.name.contains("ssl/private") && is_pem(before) && is_pem(after),
        "shadow-days" => {
            let is_day = |text: &[u8]| {
                let line = text[..offset].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
                line.iter().filter(|byte| **byte == b':').count() == 2
                    && text[offset].is_ascii_digit()
            };
            leaf.name == "etc/shadow" && is_day(before) && is_day(after)
        }
        "packages" => {
            leaf.name == "var/lib/dpkg/status" && is_of_a_moved_package(before, after, offset)
        }
        _ => false,
    }
}

/// Returns true if the byte stands in one of the strings that a cause exchanges, on both sides: `one` ↔ `two`.
pub(crate) fn is_exchanged(details: &str, leaf: &Node, after: &[u8], offset: usize) -> bool {
    let parts: Vec<&str> = details.split('`').collect();
    parts.windows(3).filter(|parts| parts[1] == " ↔ ").any(|parts| {
        let [one, two] = [parts[0], parts[2]].map(str::as_bytes);
        let starts = (offset + 1).saturating_sub(one.len())..=offset;
        let stands = |text: &[u8], at: usize, word: &[u8]| {
            text.get(at..).is_some_and(|rest| rest.starts_with(word))
        };
        one.len() == two.len()
            && starts.into_iter().any(|at| stands(&leaf.bytes, at, one) && stands(after, at, two))
    })
}

/// Returns true if the paragraph around the byte is of a package that is another one now: its name, its
/// version, or whether it is installed.
fn is_of_a_moved_package(before: &[u8], after: &[u8], offset: usize) -> bool {
    let start = before[..offset].windows(2).rposition(|end| end == b"\n\n").map_or(0, |at| at + 2);
    let is = |text: &[u8]| {
        let text = String::from_utf8_lossy(&text[start..]).into_owned();
        let paragraph = text.split("\n\n").next().unwrap_or_default().to_owned();
        let of =
            |key: &str| paragraph.lines().find(|line| line.starts_with(key)).map(str::to_owned);
        ["Package: ", "Status: ", "Version: "].map(of)
    };
    is(before) != is(after)
}

/// `2026-05-28 20:26:40`, of the year of the builds.
fn is_date(text: &[u8], at: usize) -> bool {
    let Some(text) = text.get(at..at + 19) else { return false };
    let shape = b"0000-00-00 00:00:00".iter().zip(text).all(|(shape, byte)| match shape {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let number = |at: usize| u32::from(text[at] - b'0') * 10 + u32::from(text[at + 1] - b'0');
    shape
        && text.starts_with(b"202")
        && (1..=12).contains(&number(5))
        && (1..=31).contains(&number(8))
        && number(11) < 24
        && number(14) < 60
        && number(17) < 60
}

fn is_id(text: &[u8]) -> bool {
    text.len() == 33
        && text[..32].iter().all(|x| x.is_ascii_digit() || (b'a'..=b'f').contains(x))
        && text[32] == b'\n'
}

fn is_pem(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let lines: Vec<&str> = text.lines().collect();
    let [first, inner @ .., last] = &lines[..] else { return false };
    first.starts_with("-----BEGIN ")
        && last.starts_with("-----END ")
        && first.replace("BEGIN", "END") == *last
        && inner.iter().all(|line| {
            line.len() == 64
                && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        })
}

/// Fields that a cause may explain by their place, near an offset, and parts of the causes' ids.
fn fields(kind: Kind, bytes: &[u8], near: usize) -> Vec<(Range<usize>, &'static [&'static str])> {
    let mut found: Vec<(Range<usize>, &'static [&'static str])> = Vec::new();
    match kind {
        Kind::Disk | Kind::Gpt | Kind::Extended => found.push((440..444, &["disk-guid"])),
        Kind::Pe => found.push((64 + 8..64 + 12, &["link-time"])),
        Kind::Squashfs(..) => {
            found.push((8..12, &["mkfs-time"]));
            // flags, which the cause names on both sides
            found.push((24..26, &["compressor"]));
        }
        Kind::Fat | Kind::Fat16 => {
            found.push((0x27..0x2b, &["fat-serial"]));
            found.push((0x2b..0x36, &["volume-names"]));
            let root = if kind == Kind::Fat { 19..33 } else { 65..97 };
            if root.contains(&(near / 512)) {
                found.extend(fat_times(near));
            }
        }
        Kind::Fat32 => {
            // the copy of the boot sector is in sector 6
            for boot in [0, 6 * 512] {
                found.push((boot + 0x43..boot + 0x47, &["fat-serial"]));
                found.push((boot + 0x47..boot + 0x52, &["volume-names"]));
            }
            // 32 sectors, two tables
            let table = u32::from_le_bytes(bytes[36..40].try_into().unwrap()) as usize;
            let root = (32 + 2 * table) * 512;
            if (root..root + 512).contains(&near) {
                found.extend(fat_times(near));
            }
        }
        Kind::TarOf(_) => {
            // a record of an extended header
            let line = bytes[..near].iter().rposition(|byte| *byte == b'\n' || *byte == 0);
            let start = line.map_or(0, |at| at + 1);
            let is_mtime = |at: &usize| bytes[*at..].starts_with(b" mtime=");
            if let Some(at) = (start..near).find(is_mtime) {
                let digits = bytes[at + 7..].iter().take_while(|byte| **byte != b'\n').count();
                found.push((at + 7..at + 7 + digits, &["mtime"]));
            }
        }
        Kind::Ar => {
            let mut at = 8;
            while let Some(header) = bytes.get(at..at + 60) {
                found.push((at + 16..at + 28, &["mtime"]));
                let size = std::str::from_utf8(&header[48..58]).unwrap().trim();
                at += 60 + size.parse::<usize>().unwrap().next_multiple_of(2);
            }
        }
        Kind::Cpio => {
            let magic = b"070701";
            let headers = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(magic));
            for at in headers {
                // a mode, an owner or a group is a decision
                found.push((at + 6..at + 14, &["cpio-inodes"]));
                found.push((at + 38..at + 46, &["cpio-links"]));
                found.push((at + 46..at + 54, &["mtime"]));
                // of the file system that the file was packed from
                found.push((at + 62..at + 78, &["cpio-inodes"]));
            }
        }
        Kind::Iso => {
            // the dates and names of the volume, in each of its descriptors
            for at in [16 * 2048, 17 * 2048, 18 * 2048] {
                found.push((at + 813..at + 881, &["volume-dates"]));
                found.push((at + 8..at + 72, &["volume-names"]));
                found.push((at + 190..at + 813, &["volume-names"]));
            }
            // times in the system use area of a directory record, and the date of the record itself
            let back = near.saturating_sub(64)..near;
            for at in back.filter(|at| bytes[*at..].starts_with(b"TF")) {
                found.push((at + 5..at + usize::from(bytes[at + 2]), &["mtime"]));
            }
            let mut at = near / 2048 * 2048;
            while bytes[at] != 0 && at <= near {
                found.push((at + 18..at + 25, &["mtime"]));
                at += usize::from(bytes[at]);
            }
        }
        _ => {}
    }
    found
}

/// The times of the entry of a FAT's folder in which a byte is.
fn fat_times(near: usize) -> [(Range<usize>, &'static [&'static str]); 2] {
    let entry = near / 32 * 32;
    [(entry + 13..entry + 20, &["mtime"]), (entry + 22..entry + 26, &["mtime"])]
}
