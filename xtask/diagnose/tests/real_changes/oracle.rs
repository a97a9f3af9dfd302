//! Judges an answer without the code that gave it: every changed byte has to be named where it is,
//! as unexplained, as not read, or with a cause that these few rules prove as well.

use crate::answer::{Answer, Place, plain};
use crate::formats::Compressor;
use crate::mutation::Mutation;
use crate::node::{Kind, Node};
use crate::tools;
use std::ops::Range;
use std::path::Path;

/// Bytes of the longest header of a compressed stream here.
const HEADER: usize = 18;

/// `answer` is of A and the mutated `image`, `before` of A and `image`; `dir` is for files of tools.
pub(crate) fn judge(
    dir: &Path,
    image: &Node,
    mutation: &Mutation,
    before: &Answer,
    answer: &Answer,
) -> Result<(), String> {
    if answer.identical {
        return Err("said to be identical".to_owned());
    }
    let node = image.at(&mutation.path);
    if matches!(node.kind, Kind::Leaf | Kind::Unread) && !answer.contents_differ {
        return Err("contents are said to be identical".to_owned());
    }
    for offset in &mutation.offsets {
        let (path, inner) = owner(image, &mutation.path, *offset);
        if image.at(&path).kind != Kind::Unread && is_open(image, mutation, &path, before, answer) {
            continue;
        }
        let names: Place = image.names(&path).into_iter().map(|x| plain(x).to_owned()).collect();
        let causes: Vec<&str> = answer
            .causes
            .iter()
            .filter(|(_, place)| within(place, &names))
            .map(|(id, _)| id.as_str())
            .collect();
        let owned = image.at(&path);
        if owned.kind == Kind::Unread {
            // or the layer around it cannot be opened, and is unexplained itself
            let around = |place: &Place| names.starts_with(place) && *place != names;
            if answer.not_read.contains(&names) || answer.open.iter().any(|(at, _)| around(at)) {
                continue;
            }
            return Err(format!("{names:?}, byte {inner}: not said to be not read"));
        }
        if matches!(owned.kind, Kind::Squashfs(..))
            && inner < data_end(&owned.bytes)
            && std::ptr::eq(owned, node)
            && are_proved(dir, owned, mutation, answer)
        {
            continue;
        }
        if !causes.iter().any(|id| proves(id, owned, inner, *offset, mutation)) {
            let said = match causes.len() {
                0 => "not mentioned".to_owned(),
                _ => format!("only {causes:?} there, which does not give B"),
            };
            return Err(format!("{names:?}, byte {inner}: {said}"));
        }
    }
    Ok(())
}

/// Returns true if the files of a squashfs are still the same (blocks may be compressed in several ways), or
/// differ in what a cause proves.
fn are_proved(dir: &Path, squashfs: &Node, mutation: &Mutation, answer: &Answer) -> bool {
    let names: Vec<&str> = squashfs.children.iter().map(|child| child.name).collect();
    let Some(files) = tools::unpacked(dir, &mutation.bytes, &names) else { return false };
    squashfs.children.iter().zip(&files).all(|(child, after)| {
        let differ = |at: &usize| child.bytes.get(*at) != after.get(*at);
        let causes =
            answer.causes.iter().filter(|(_, place)| place.ends_with(&[child.name.into()]));
        let proves = |at| causes.clone().any(|(id, _)| token(id, child, after, at));
        (0..child.bytes.len().max(after.len())).filter(differ).all(proves)
    })
}

/// Offset at which the blocks of files end and the tables begin.
fn data_end(squashfs: &[u8]) -> usize {
    u64::from_le_bytes(squashfs[64..72].try_into().unwrap()) as usize
}

/// The innermost node that holds a byte of the node at `path`, and the offset in it: files lie in
/// archives and file systems as they are.
fn owner(image: &Node, path: &[usize], offset: usize) -> (Vec<usize>, usize) {
    let node = image.at(path);
    if !matches!(
        node.kind,
        Kind::Row
            | Kind::Cpio
            | Kind::Tar
            | Kind::Ar
            | Kind::Fat
            | Kind::Disk
            | Kind::Gpt
            | Kind::Pe
            | Kind::Ext4
            | Kind::Squashfs(..)
            | Kind::Iso
    ) {
        return (path.to_vec(), offset);
    }
    // one child may be a part of another one
    let mut children: Vec<(usize, &Node)> = node.children.iter().enumerate().collect();
    children.sort_by_key(|(_, child)| std::cmp::Reverse(child.bytes.len()));
    for (i, child) in children {
        let size = child.bytes.len();
        let mut near = offset.saturating_sub(size.saturating_sub(1))..=offset;
        if let Some(at) = near.find(|at| size > 0 && node.bytes[*at..].starts_with(&child.bytes)) {
            return owner(image, &[path, &[i]].concat(), offset - at);
        }
    }
    (path.to_vec(), offset)
}

/// Returns true if something that is unexplained or not read names the node at `path`, and was not there
/// before the mutation.
fn is_open(
    image: &Node,
    mutation: &Mutation,
    path: &[usize],
    before: &Answer,
    answer: &Answer,
) -> bool {
    let names: Place = image.names(path).into_iter().map(|x| plain(x).to_owned()).collect();
    // a layer around it says it all where that could not be opened, be it for the mutation
    let zip = (0..path.len()).find(|n| image.at(&path[..*n]).kind == Kind::Zip);
    let floor = image.names(&mutation.path[..zip.unwrap_or(path.len()).min(mutation.path.len())]);
    // the tables of an ext4 are never explained: they were named before
    let gap = image.at(path).kind == Kind::Ext4 && answer.open.iter().any(|(at, _)| *at == names);
    gap || answer.open.difference(&before.open).any(|(place, _)| {
        let around = names.starts_with(place);
        within(place, &names)
            || around && (place.len() >= floor.len() || answer.not_read.contains(place))
    })
}

/// Returns true if `place` is the one with these names, or in it.
fn within(place: &Place, names: &Place) -> bool {
    let mut place = place.iter();
    names.iter().all(|name| place.any(|part| part == name))
}

/// Returns true if a substitution of the kind that `id` names gives the byte at `offset` of `owner`, which is
/// the one at `whole` of the mutated node.
fn proves(id: &str, owner: &Node, offset: usize, whole: usize, mutation: &Mutation) -> bool {
    let start = whole - offset;
    let end = mutation.bytes.len().min(start + owner.bytes.len());
    // appended bytes belong to the mutated node itself
    let end = if start == 0 && offset >= owner.bytes.len() { mutation.bytes.len() } else { end };
    let after = mutation.bytes[start..end].to_vec();
    match owner.kind {
        Kind::Leaf => token(id, owner, &after, offset),
        Kind::Packed(compressor) => {
            let kinds = ["recompressed", "compression-header", "gzip-time", "compressor"];
            // behind the header, other compressed bytes of one content are no difference of their own
            let repacked = (kinds.contains(&id) || offset >= HEADER)
                && same_content(compressor, &owner.bytes, &after);
            repacked || is_field_of_content(id, compressor, owner, &after)
        }
        kind => is_field(id, kind, &owner.bytes, offset),
    }
}

/// Returns true if the byte is in a field that the cause names.
fn is_field(id: &str, kind: Kind, bytes: &[u8], offset: usize) -> bool {
    fields(kind, bytes, offset)
        .iter()
        .any(|(range, ids)| range.contains(&offset) && ids.iter().any(|x| id.contains(x)))
}

/// Returns true if the mutation of compressed bytes changes nothing in the content but fields that the
/// cause names.
fn is_field_of_content(id: &str, compressor: Compressor, packed: &Node, after: &[u8]) -> bool {
    let [content] = &packed.children[..] else { return false };
    let Some(after) = compressor.unpack(after) else { return false };
    let before = &content.bytes;
    before.len() == after.len()
        && (0..before.len())
            .filter(|at| before[*at] != after[*at])
            .all(|at| is_field(id, content.kind, before, at))
}

fn same_content(compressor: Compressor, a: &[u8], b: &[u8]) -> bool {
    matches!((compressor.unpack(a), compressor.unpack(b)), (Some(a), Some(b)) if a == b)
}

/// Returns true if a date, an id or a version stands around the byte, in both.
fn token(id: &str, leaf: &Node, after: &[u8], offset: usize) -> bool {
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
        Kind::Disk | Kind::Gpt => found.push((440..444, &["disk-guid"])),
        Kind::Pe => found.push((64 + 8..64 + 12, &["link-time"])),
        Kind::Squashfs(..) => found.push((8..12, &["mkfs-time"])),
        Kind::Fat => {
            found.push((0x27..0x2b, &["fat-serial"]));
            found.push((0x2b..0x36, &["volume-names"]));
            let root = 19 * 512..33 * 512;
            if root.contains(&near) {
                let entry = near / 32 * 32;
                found.push((entry + 13..entry + 20, &["mtime"]));
                found.push((entry + 22..entry + 26, &["mtime"]));
            }
        }
        Kind::Ar => {
            let mut at = 8;
            while let Some(header) = bytes.get(at..at + 60) {
                found.push((at + 16..at + 28, &["mtime"]));
                found.push((at + 28..at + 40, &["owner"]));
                found.push((at + 40..at + 48, &["mode", "umask"]));
                let size = std::str::from_utf8(&header[48..58]).unwrap().trim();
                at += 60 + size.parse::<usize>().unwrap().next_multiple_of(2);
            }
        }
        Kind::Cpio => {
            let magic = b"070701";
            let headers = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(magic));
            for at in headers {
                let ids: [&[&str]; 6] =
                    [&["inode"], &["mode", "umask"], &["owner"], &["owner"], &["link"], &["mtime"]];
                for (i, ids) in ids.into_iter().enumerate() {
                    found.push((at + 6 + i * 8..at + 14 + i * 8, ids));
                }
                // of the file system that the file was packed from
                found.push((at + 62..at + 78, &["device", "inode"]));
            }
        }
        Kind::Iso => {
            // the dates and names of the volume, in each of its descriptors
            for at in [16 * 2048, 17 * 2048, 18 * 2048] {
                found.push((at + 813..at + 881, &["volume-dates"]));
                found.push((at + 8..at + 72, &["volume-names"]));
                found.push((at + 190..at + 813, &["volume-names"]));
            }
        }
        _ => {}
    }
    found
}
