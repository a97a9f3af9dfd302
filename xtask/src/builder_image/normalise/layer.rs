//! Writes the one layer of a normal form: a POSIX tar (pax) whose every field is determined.

use super::merged::{MergedFile, MergedKind, MergedTree};
use anyhow::{Context as _, Result, ensure};
use std::collections::HashMap;
use std::io::{self, Read as _, Write};
use xtask_core::interrupt;

/// Bytes of a tar's block.
pub(super) const BLOCK: usize = 512;
/// Largest number in a header's field of eight bytes: seven octal digits.
const LARGEST_ID: u64 = 0o7_777_777;
/// Largest number in the field of a size: eleven octal digits.
const LARGEST_SIZE: u64 = 0o77_777_777_777;
/// Bytes of a header's fields for a name and for the target of a link.
const NAME: usize = 100;

/// Writes all files. A time later than `epoch` becomes `epoch`. So does the time of every folder: it says when the
/// last entry came or went, which the builders' temporary files decide.
pub(super) fn write(tree: &MergedTree, epoch: u64, out: &mut dyn Write) -> Result<()> {
    let mut names: HashMap<usize, &[u8]> = HashMap::new();
    for (path, id, file) in tree.iter() {
        interrupt::check()?;
        let first = if file.is_directory() { None } else { names.get(&id).copied() };
        names.entry(id).or_insert(path);
        entry(path, file, first, epoch, out)?;
    }
    out.write_all(&[0; 2 * BLOCK])?;
    Ok(())
}

/// Writes one entry: a hard link to `first` if the file has that name already.
fn entry(
    path: &[u8],
    file: &MergedFile,
    first: Option<&[u8]>,
    epoch: u64,
    out: &mut dyn Write,
) -> Result<()> {
    let mut records: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut record =
        |key: &str, value: &[u8]| records.push((key.as_bytes().to_vec(), value.to_vec()));
    let (kind, target, size) = match (&file.kind, first) {
        (_, Some(first)) => (tar::EntryType::Link, Some(first), 0),
        (MergedKind::Regular(content), None) => (tar::EntryType::Regular, None, content.len),
        (MergedKind::Directory, None) => (tar::EntryType::Directory, None, 0),
        (MergedKind::Symlink(target), None) => {
            (tar::EntryType::Symlink, Some(target.as_slice()), 0)
        }
        (MergedKind::Char { .. }, None) => (tar::EntryType::Char, None, 0),
        (MergedKind::Block { .. }, None) => (tar::EntryType::Block, None, 0),
        (MergedKind::Fifo, None) => (tar::EntryType::Fifo, None, 0),
    };
    let mut name = path.to_vec();
    if file.is_directory() {
        name.extend(if path.is_empty() { b"./".as_slice() } else { b"/" });
    }
    let mut header = header(kind, &name);
    if name.len() > NAME {
        record("path", &name);
    }
    if let Some(target) = target {
        if target.len() > NAME {
            record("linkpath", target);
        }
        let field = &mut header.as_old_mut().linkname;
        fill(field, target);
    }
    header.set_mode(file.mode);
    for (key, value) in [("uid", file.uid), ("gid", file.gid)] {
        if value > LARGEST_ID {
            record(key, value.to_string().as_bytes());
        }
        let small = if value > LARGEST_ID { 0 } else { value };
        if key == "uid" { header.set_uid(small) } else { header.set_gid(small) }
    }
    ensure!(size <= LARGEST_SIZE, "{}: larger than 8 GiB", String::from_utf8_lossy(path));
    header.set_size(size);
    header.set_mtime(if file.is_directory() { epoch } else { file.mtime.min(epoch) });
    if let (MergedKind::Char { major, minor } | MergedKind::Block { major, minor }, None) =
        (&file.kind, first)
    {
        header.set_device_major(*major)?;
        header.set_device_minor(*minor)?;
    }
    header.set_cksum();
    if first.is_none() {
        for (name, value) in &file.xattrs {
            record(&format!("SCHILY.xattr.{name}"), value);
        }
    }
    if !records.is_empty() {
        records.sort();
        pax(&records, out)?;
    }
    out.write_all(header.as_bytes())?;
    if let (MergedKind::Regular(content), None) = (&file.kind, first) {
        let copied = io::copy(&mut content.reader().take(size), out)?;
        ensure!(copied == size, "the archive was cut off while it was read");
        pad(out, size)?;
    }
    Ok(())
}

/// A header with its constants and a name, which is cut off at the field's end.
pub(super) fn header(kind: tar::EntryType, name: &[u8]) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    fill(&mut header.as_old_mut().name, name);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn fill(field: &mut [u8; NAME], text: &[u8]) {
    let n = text.len().min(NAME);
    field[..n].copy_from_slice(&text[..n]);
}

/// Writes the records of the next entry (POSIX pax, "pax Extended Header").
fn pax(records: &[(Vec<u8>, Vec<u8>)], out: &mut dyn Write) -> Result<()> {
    let mut text = Vec::new();
    for (key, value) in records {
        // the length counts its own digits
        let rest = key.len() + value.len() + 3;
        let mut len = rest + 1;
        while len != rest + len.to_string().len() {
            len = rest + len.to_string().len();
        }
        text.extend(format!("{len} ").bytes());
        text.extend(key);
        text.push(b'=');
        text.extend(value);
        text.push(b'\n');
    }
    let mut header = header(tar::EntryType::XHeader, b"././@PaxHeader");
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    header.set_cksum();
    out.write_all(header.as_bytes())?;
    out.write_all(&text)?;
    pad(out, text.len() as u64)
}

/// Fills the last block of a content of `size` bytes.
pub(super) fn pad(out: &mut (impl Write + ?Sized), size: u64) -> Result<()> {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    if over > 0 {
        out.write_all(&[0; BLOCK][over..]).context("cannot write the padding")?;
    }
    Ok(())
}
