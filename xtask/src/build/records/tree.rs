//! Makes the manifest of a tree from a stage's tar, and hashes the tar in the same pass.

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::pins::Digest;
use xtask_core::records::manifest::{Manifest, ManifestEntry};
use xtask_core::{hash, interrupt, pax};

/// Prefixes of PAX records that hold extended attributes (tar(5): star's and libarchive's).
const XATTR_PREFIXES: [&str; 2] = ["SCHILY.xattr.", "LIBARCHIVE.xattr."];

/// Returns hash and size of a tar, and the manifest of the tree in it.
pub(crate) fn of_tar(path: &Path) -> Result<(Digest, u64, Manifest)> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.shown()))?;
    let mut whole =
        Hashed { inner: BufReader::with_capacity(1 << 20, file), hasher: Sha256::new(), size: 0 };
    let manifest =
        entries(&mut whole).with_context(|| format!("{} is not a complete tar", path.shown()))?;
    // the bytes after the end mark are part of the file's hash
    io::copy(&mut whole, &mut io::sink())
        .with_context(|| format!("cannot read {}", path.shown()))?;
    Ok((Digest::from_bytes(&whole.hasher.finalize()), whole.size, manifest))
}

/// A reader that hashes all bytes that pass through it.
struct Hashed<R> {
    inner: R,
    hasher: Sha256,
    size: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.size += n as u64;
        Ok(n)
    }
}

fn entries(tar: impl Read) -> Result<Manifest> {
    let mut manifest = Manifest::new();
    let mut archive = tar::Archive::new(tar);
    let mut before = BeforeEntry::default();
    for entry in archive.entries()?.raw(true) {
        interrupt::check()?;
        let mut entry = entry?;
        if before.take(&mut entry)? {
            continue;
        }
        let BeforeEntry { path, target, records, .. } = std::mem::take(&mut before);
        let path = text(&path.unwrap_or_else(|| entry.path_bytes().into_owned()));
        let extended = Extended::of(&records)?;
        let header = entry.header();
        let kind = match header.entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => "file",
            tar::EntryType::Directory => "dir",
            tar::EntryType::Symlink => "symlink",
            tar::EntryType::Link => "hardlink",
            tar::EntryType::Char => "char",
            tar::EntryType::Block => "block",
            tar::EntryType::Fifo => "fifo",
            other => bail!("unexpected type {other:?} of {path}"),
        };
        if extended.size.is_some_and(|size| size != entry.size()) {
            bail!(
                "{path}: a PAX record says another size than the header, as for files of 8 GiB and more"
            );
        }
        let size = if matches!(kind, "char" | "block") {
            // read only for devices: other entries may have no number in these fields
            let (major, minor) = (header.device_major()?, header.device_minor()?);
            format!("{},{}", major.unwrap_or_default(), minor.unwrap_or_default())
        } else {
            entry.size().to_string()
        };
        let in_header = || entry.link_name_bytes().map(|target| target.into_owned());
        let mut found = ManifestEntry {
            kind: kind.to_owned(),
            mode: format!("{:04o}", header.mode()?),
            owner: format!(
                "{}:{}",
                extended.uid.map_or_else(|| header.uid(), Ok)?,
                extended.gid.map_or_else(|| header.gid(), Ok)?
            ),
            mtime: extended.mtime.unwrap_or(header.mtime()?.to_string()),
            size,
            content: "-".to_owned(),
            target: target.or_else(in_header).map_or("-".to_owned(), |target| text(&target)),
            xattrs: extended.xattrs,
        };
        if kind == "file" {
            found.content = hash::reader(&mut entry)?.0.hex().to_owned();
        }
        manifest.insert(path, found);
    }
    Ok(manifest)
}

/// Most bytes of a name, or of the records of one entry. Linux limits an attribute to 64 KiB (xattr(7)).
const LARGEST: u64 = 1 << 20;

/// Names and PAX records that stand before an entry.
#[derive(Default)]
struct BeforeEntry {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl BeforeEntry {
    /// Returns true if this was no entry, but something that belongs to the next one.
    fn take<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<bool> {
        let kind = entry.header().entry_type();
        let is_for_next = matches!(
            kind,
            tar::EntryType::XHeader
                | tar::EntryType::XGlobalHeader
                | tar::EntryType::GNULongName
                | tar::EntryType::GNULongLink
        );
        if !is_for_next {
            return Ok(false);
        }
        if entry.size() > LARGEST {
            bail!("a name or record of more than {LARGEST} bytes");
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let name = |bytes: Vec<u8>| bytes.strip_suffix(b"\0").map(<[u8]>::to_vec).unwrap_or(bytes);
        match kind {
            tar::EntryType::GNULongName => self.path = Some(name(bytes)),
            tar::EntryType::GNULongLink => self.target = Some(name(bytes)),
            tar::EntryType::XHeader => {
                for (key, value) in pax::records(&bytes)? {
                    match key {
                        b"path" => self.path = Some(value.to_vec()),
                        b"linkpath" => self.target = Some(value.to_vec()),
                        _ => self.records.push((key.to_vec(), value.to_vec())),
                    }
                }
            }
            // of the whole archive: a comment
            _ => drop(pax::records(&bytes)?),
        }
        Ok(true)
    }
}

/// A name as text. Bytes that are not UTF-8 are written as `\xNN`, so that two names stay two.
fn text(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        Err(_) => OsStr::from_bytes(name).shown().to_string(),
    }
}

/// Values of an entry's PAX records.
#[derive(Default)]
struct Extended {
    xattrs: String,
    /// With a fraction of a second, if the archive has one.
    mtime: Option<String>,
    uid: Option<u64>,
    gid: Option<u64>,
    size: Option<u64>,
}

impl Extended {
    fn of(records: &[(Vec<u8>, Vec<u8>)]) -> Result<Extended> {
        let (mut found, mut xattrs) = (Extended::default(), Vec::new());
        for (key, value) in records {
            let key = String::from_utf8_lossy(key);
            let value_text = String::from_utf8_lossy(value);
            let number = || {
                let number = value_text.parse();
                number.with_context(|| format!("PAX record {}: expected a number", key.shown()))
            };
            match &*key {
                "mtime" => found.mtime = Some(value_text.into_owned()),
                "uid" => found.uid = Some(number()?),
                "gid" => found.gid = Some(number()?),
                "size" => found.size = Some(number()?),
                _ => {
                    let name = XATTR_PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix));
                    let name = name.map(|name| format!("{name}={}", hash::bytes(value).hex()));
                    xattrs.extend(name);
                }
            }
        }
        xattrs.sort();
        found.xattrs = if xattrs.is_empty() { "-".to_owned() } else { xattrs.join(";") };
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(change: impl Fn(&mut tar::Header)) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        builder
            .append_pax_extensions([("SCHILY.xattr.security.capability", b"\x01\x02".as_slice())])
            .unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(4);
        header.set_mtime(12);
        header.set_size(3);
        header.set_entry_type(tar::EntryType::Regular);
        change(&mut header);
        builder.append_data(&mut header, "bin/a\tb", b"abc".as_slice()).unwrap();
        let mut link = tar::Header::new_ustar();
        link.set_entry_type(tar::EntryType::Link);
        link.set_size(0);
        link.set_mode(0o755);
        link.set_uid(0);
        link.set_gid(0);
        link.set_mtime(12);
        builder.append_link(&mut link, "bin/c", "bin/a\tb").unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn content_and_metadata_are_in_the_manifest() {
        let manifest = entries(tar_of(|_| ()).as_slice()).unwrap();
        let entry = &manifest["bin/a\tb"];
        assert_eq!(
            (entry.mode.as_str(), entry.owner.as_str(), entry.mtime.as_str()),
            ("0755", "0:4", "12")
        );
        assert_eq!(entry.content, hash::text("abc").hex());
        assert!(entry.xattrs.starts_with("security.capability="));
        assert_eq!(manifest["bin/c"].kind, "hardlink");
        assert_eq!(manifest["bin/c"].target, "bin/a\tb");
    }

    #[test]
    fn an_attribute_may_hold_the_end_of_a_line() {
        let mut builder = tar::Builder::new(Vec::new());
        let value = b"1\n17 mtime=99\n5 x=\n".as_slice();
        builder.append_pax_extensions([("SCHILY.xattr.user.a", value)]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(12);
        header.set_size(0);
        // a name that needs a record or an entry of its own
        let long = format!("{}/", "n".repeat(160));
        builder.append_data(&mut header, &long, std::io::empty()).unwrap();
        let manifest = entries(builder.into_inner().unwrap().as_slice()).unwrap();
        let entry = &manifest[&long];
        assert_eq!(entry.xattrs, format!("user.a={}", hash::bytes(value).hex()));
        assert_eq!(entry.mtime, "12");
    }

    #[test]
    fn a_truncated_tar_is_an_error() {
        let whole = tar_of(|_| ());
        assert!(entries(&whole[..1100]).is_err());
    }
}
