//! The entries of a layer, with the names and records that stand before them.
//!
//! The tar crate would put them together, too, but it parses PAX records wrongly (xtask_core::pax).

use super::saved::{FileSection, SectionReader};
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use xtask_core::escape::Shown as _;
use xtask_core::pax;

/// Prefix of a PAX record with an extended attribute (tar(5)).
const XATTR: &str = "SCHILY.xattr.";
/// PAX records that a normal form leaves out: names of accounts, times of reading and of changing metadata.
const LEFT_OUT: [&str; 5] = ["atime", "comment", "ctime", "gname", "uname"];
/// Most bytes of a name, or of the records of one entry. Linux limits an attribute to 64 KiB (xattr(7)).
const LARGEST: u64 = 1 << 20;

/// One entry.
pub(super) struct LayerEntry {
    pub(super) path: Vec<u8>,
    /// Target of a link.
    pub(super) target: Vec<u8>,
    pub(super) header: tar::Header,
    pub(super) records: PaxRecords,
    pub(super) content: FileSection,
}

/// The PAX records before an entry, as far as they matter.
#[derive(Debug, Default)]
pub(super) struct PaxRecords {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    /// Whole seconds since 1970-01-01 UTC.
    pub(super) mtime: Option<u64>,
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

/// Reads a layer once, and gives `take` its entries in their order.
pub(super) fn each(
    layer: &FileSection,
    mut take: impl FnMut(LayerEntry) -> Result<()>,
) -> Result<()> {
    let mut tar = tar::Archive::new(BufReader::new(layer.reader()));
    let (mut records, mut path, mut target) = (PaxRecords::default(), None, None);
    for entry in tar.entries_with_seek().context("it is no tar")?.raw(true) {
        let mut entry = entry.context("it is no complete tar")?;
        match entry.header().entry_type() {
            tar::EntryType::XHeader => records = PaxRecords::parse(&text(&mut entry)?)?,
            tar::EntryType::GNULongName => path = Some(long_name(&mut entry)?),
            tar::EntryType::GNULongLink => target = Some(long_name(&mut entry)?),
            tar::EntryType::XGlobalHeader => {
                // `git archive` writes a comment there
                let global = PaxRecords::parse(&text(&mut entry)?)?;
                ensure!(
                    global.is_empty(),
                    "PAX records for all entries: expected them before each entry"
                );
            }
            _ => {
                let mut records = std::mem::take(&mut records);
                let path = path.take().or(records.path.take());
                let target = target.take().or(records.target.take());
                let in_header = entry.link_name_bytes().map(|name| name.into_owned());
                take(LayerEntry {
                    path: path.unwrap_or_else(|| entry.path_bytes().into_owned()),
                    target: target.or(in_header).unwrap_or_default(),
                    header: entry.header().clone(),
                    content: layer.part(entry.raw_file_position(), entry.size())?,
                    records,
                })?;
            }
        }
    }
    Ok(())
}

type RawEntry<'e> = tar::Entry<'e, BufReader<SectionReader>>;

fn text(entry: &mut RawEntry<'_>) -> Result<Vec<u8>> {
    ensure!(entry.size() <= LARGEST, "a name or record of more than {LARGEST} bytes");
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).context("it is no complete tar")?;
    Ok(bytes)
}

fn long_name(entry: &mut RawEntry<'_>) -> Result<Vec<u8>> {
    let mut name = text(entry)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

impl PaxRecords {
    fn is_empty(&self) -> bool {
        let PaxRecords { path, target, uid, gid, mtime, xattrs } = self;
        path.is_none()
            && target.is_none()
            && uid.is_none()
            && gid.is_none()
            && mtime.is_none()
            && xattrs.is_empty()
    }

    fn parse(bytes: &[u8]) -> Result<PaxRecords> {
        let mut found = PaxRecords::default();
        for (key, value) in pax::records(bytes)? {
            found.take(key, value)?;
        }
        Ok(found)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let number = || {
            // a time may have a fraction of a second
            let whole = value.split(|byte| *byte == b'.').next().unwrap_or_default();
            let number = std::str::from_utf8(whole).ok().and_then(|whole| whole.parse().ok());
            let shown = |bytes| OsStr::from_bytes(bytes).shown().to_string();
            number.with_context(|| {
                format!("PAX record {}: expected a number, found `{}`", shown(key), shown(value))
            })
        };
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.target = Some(value.to_vec()),
            b"uid" => self.uid = Some(number()?),
            b"gid" => self.gid = Some(number()?),
            b"mtime" => self.mtime = Some(number()?),
            _ => {
                let name = std::str::from_utf8(key).unwrap_or_default();
                if LEFT_OUT.contains(&name) {
                    return Ok(());
                }
                let Some(name) = name.strip_prefix(XATTR).filter(|name| !name.is_empty()) else {
                    bail!("a PAX record that is not known: {}", OsStr::from_bytes(key).shown());
                };
                self.xattrs.insert(name.to_owned(), value.to_vec());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_any_byte() {
        let records =
            PaxRecords::parse(b"30 SCHILY.xattr.user.a=1\n=2\n\x00\n22 mtime=1700000000.5\n")
                .unwrap();
        assert_eq!(records.xattrs["user.a"], b"1\n=2\n\x00");
        assert_eq!(records.mtime, Some(1_700_000_000));
        for bad in [
            &b"x"[..],
            b"10 mtime=x\n",
            b"11 mtime=-1\n",
            b"22 SCHILY.acl.access=\n",
            b"18 SCHILY.xattr.=\n",
        ] {
            PaxRecords::parse(bad).unwrap_err();
        }
    }
}
