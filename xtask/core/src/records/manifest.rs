//! The manifest of a tree: the hash and the metadata of every entry, as text.
//!
//! With manifests, two trees can be compared long after they were deleted.

use crate::escape::Shown as _;
use crate::record_file;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// An entry of a tree, without its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// `file`, `dir`, `symlink`, `hardlink`, `char`, `block`, `fifo`.
    pub kind: String,
    /// Permission bits, octal.
    pub mode: String,
    /// `uid:gid`.
    pub owner: String,
    /// Seconds since 1970-01-01 UTC, with a fraction where the tar has one.
    pub mtime: String,
    /// Size in bytes; `major,minor` of a device.
    pub size: String,
    /// SHA-256 of a file's content, or `-`.
    pub content: String,
    /// Target of a link, or `-`.
    pub target: String,
    /// `name=SHA-256 of the value`, sorted, joined by `;`, or `-`.
    pub xattrs: String,
}

/// Entries by path.
pub type Manifest = BTreeMap<String, ManifestEntry>;

/// Writes one line an entry. Tabs separate the fields; path and link target come last.
pub fn to_text(manifest: &Manifest) -> String {
    let mut text = String::new();
    for (path, e) in manifest {
        let fields = [&e.kind, &e.mode, &e.owner, &e.mtime, &e.size, &e.content, &e.xattrs];
        for field in fields {
            text.push_str(field);
            text.push('\t');
        }
        // writing to a String cannot fail
        let _ = writeln!(text, "{}\t{}", escaped(path), escaped(&e.target));
    }
    text
}

/// Reads a manifest file.
///
/// # Errors
/// The first line without nine fields, with its number.
pub fn read(path: &Path) -> Result<Manifest> {
    let text = record_file::text(path)?;
    let parse = |(n, line): (usize, &str)| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, mode, owner, mtime, size, content, xattrs, name, target] = fields[..] else {
            bail!("{}:{}: expected 9 fields, found {}", path.shown(), n + 1, fields.len());
        };
        let entry = ManifestEntry {
            kind: kind.to_owned(),
            mode: mode.to_owned(),
            owner: owner.to_owned(),
            mtime: mtime.to_owned(),
            size: size.to_owned(),
            content: content.to_owned(),
            xattrs: xattrs.to_owned(),
            target: unescaped(target),
        };
        Ok((unescaped(name), entry))
    };
    let mut manifest = Manifest::new();
    for line in text.lines().enumerate() {
        let n = line.0 + 1;
        let (name, entry) = parse(line)?;
        if let Some(earlier) = manifest.insert(name, entry.clone())
            && earlier != entry
        {
            bail!("{}:{n}: the path has another entry above: expected one", path.shown());
        }
    }
    Ok(manifest)
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('\t', r"\t").replace('\n', r"\n")
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_manifest_can_be_read() {
        let entry = ManifestEntry {
            kind: "symlink".into(),
            mode: "4755".into(),
            owner: "0:4".into(),
            mtime: "12.5".into(),
            size: "0".into(),
            content: "-".into(),
            target: "a\nb".into(),
            xattrs: "-".into(),
        };
        let manifest = Manifest::from([("bin/a\tb\\".to_owned(), entry)]);
        let path = std::env::temp_dir().join(format!("base-manifest-{}", std::process::id()));
        std::fs::write(&path, to_text(&manifest)).unwrap();
        assert_eq!(read(&path).unwrap(), manifest);
        std::fs::remove_file(path).unwrap();
    }
}
