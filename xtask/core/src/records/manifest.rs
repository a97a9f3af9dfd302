//! The manifest of a tree: the hash and the metadata of every entry, as text.
//!
//! With manifests, two trees can be compared long after they were deleted.

use crate::escape::Shown as _;
use crate::gzip;
use crate::record_file;
use anyhow::{Context as _, Result, anyhow, bail};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::Path;

/// Fields of a line.
const FIELDS: usize = 9;
/// Most entries of a manifest. That of the product has a tenth of it. Each takes a few hundred bytes of
/// memory, however short its line is.
const MOST_ENTRIES: usize = 1 << 20;
/// End of the name of a packed manifest, as a release publishes it.
pub const PACKED: &str = ".gz";

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

/// Reads a manifest file, which may be packed.
///
/// # Errors
/// The first line without nine fields, with its number; too many lines.
pub fn read(path: &Path) -> Result<Manifest> {
    let text = text_of(path)?;
    let parse = |(n, line): (usize, &str)| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, mode, owner, mtime, size, content, xattrs, name, target] = fields[..] else {
            return Err(wrong(path, n, &fields));
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

/// The text of a manifest file. One whose name ends with [`PACKED`] is unpacked.
fn text_of(path: &Path) -> Result<String> {
    let text = if path.to_string_lossy().ends_with(PACKED) {
        let text = gzip::unpack(&record_file::read(path)?, record_file::LONGEST);
        let text = text.with_context(|| path.shown().to_string())?;
        String::from_utf8(text).map_err(|_| anyhow!("{}: expected UTF-8", path.shown()))?
    } else {
        record_file::text(path)?
    };
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    if lines > MOST_ENTRIES {
        bail!("{}: expected at most {MOST_ENTRIES} entries, found {lines}", path.shown());
    }
    Ok(text)
}

/// Paths of the entries that only one of two manifest files has, or that they have otherwise. Lines that are
/// the same in both are not taken apart.
///
/// # Errors
/// The first line, of those that differ, without nine fields.
// inline: diagnose is optimised, and this crate is not
#[inline]
pub fn differing(a: &Path, b: &Path) -> Result<BTreeSet<String>> {
    let texts = [text_of(a)?, text_of(b)?];
    let [of_a, of_b] = texts.each_ref().map(|text| text.lines().collect::<HashSet<&str>>());
    let mut paths = BTreeSet::new();
    for (path, text, other) in [(a, &texts[0], of_b), (b, &texts[1], of_a)] {
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !other.contains(line)) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [.., name, _] = fields[..] else { return Err(wrong(path, n, &fields)) };
            if fields.len() != FIELDS {
                return Err(wrong(path, n, &fields));
            }
            paths.insert(unescaped(name));
        }
    }
    Ok(paths)
}

/// The error of line `n`, counted from 0.
fn wrong(path: &Path, n: usize, fields: &[&str]) -> anyhow::Error {
    anyhow!("{}:{}: expected {FIELDS} fields, found {}", path.shown(), n + 1, fields.len())
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

    #[test]
    fn a_packed_manifest_is_read_within_limits() {
        let dir = std::env::temp_dir().join(format!("base-packed-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("x.manifest.gz");
        let read = |text: String| {
            std::fs::write(&path, gzip::pack(text.as_bytes(), gzip::BEST).unwrap()).unwrap();
            read(&path).map_err(|error| format!("{error:#}"))
        };
        let line = "file\t0644\t0:0\t1\t2\t-\t-\tx\t-\n";
        assert_eq!(read(line.to_owned()).unwrap().len(), 1);
        let error = read("\n".repeat(MOST_ENTRIES + 1)).unwrap_err();
        assert!(error.ends_with("expected at most 1048576 entries, found 1048577"), "{error}");
        let error = read("x\n".to_owned()).unwrap_err();
        assert!(error.ends_with("x.manifest.gz:1: expected 9 fields, found 1"), "{error}");
        std::fs::write(&path, line).unwrap();
        let error = format!("{:#}", super::read(&path).unwrap_err());
        assert!(error.contains("x.manifest.gz: expected a complete gzip file"), "{error}");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn paths_of_the_entries_that_differ() {
        let line = |mode: &str, path: &str| format!("file\t{mode}\t0:0\t1\t2\t-\t-\t{path}\t-\n");
        let dir = std::env::temp_dir().join(format!("base-differing-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let of = |a: &[String], b: &[String]| {
            std::fs::write(dir.join("a"), a.concat()).unwrap();
            std::fs::write(dir.join("b"), b.concat()).unwrap();
            differing(&dir.join("a"), &dir.join("b"))
        };
        let same = line("0644", "same");
        let a = [same.clone(), line("0644", "mode"), line("0644", r"one\tway")];
        // the order of the lines means nothing
        let b = [line("4755", "mode"), same.clone()];
        assert_eq!(of(&a, &b).unwrap(), ["mode", "one\tway"].map(str::to_owned).into());
        assert_eq!(of(&a, &a).unwrap(), BTreeSet::new());
        let error = of(&a, &[same, "file\tx\n".to_owned()]).unwrap_err().to_string();
        assert!(error.ends_with("/b:2: expected 9 fields, found 2"), "{error}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
