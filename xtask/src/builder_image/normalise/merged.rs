//! The files of an image: its layers on top of each other (OCI image specification, layer.md).

use super::entries::{self, LayerEntry};
use super::saved::FileSection;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use xtask_core::escape::Shown as _;
use xtask_core::interrupt;

/// Prefix of the name of a whiteout: the rest is the name that the layer removes.
const WHITEOUT: &[u8] = b".wh.";
/// A file of this name removes everything that lower layers have in its folder.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Files that an engine makes in every container for itself. Builders leave some of them in layers.
const OF_ENGINES: [&[u8]; 5] =
    [b".dockerenv", b"etc/hostname", b"etc/hosts", b"etc/resolv.conf", b"run/.containerenv"];

/// A file, without its name: several names may share it.
#[derive(Debug)]
pub(super) struct MergedFile {
    pub(super) kind: MergedKind,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    /// Seconds since 1970-01-01 UTC.
    pub(super) mtime: u64,
    /// Extended attributes: name, value.
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
pub(super) enum MergedKind {
    Regular(FileSection),
    Directory,
    Symlink(Vec<u8>),
    Char { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
}

impl MergedFile {
    pub(super) fn is_directory(&self) -> bool {
        matches!(self.kind, MergedKind::Directory)
    }

    /// A folder that no layer describes.
    fn folder() -> MergedFile {
        let (kind, xattrs) = (MergedKind::Directory, BTreeMap::new());
        MergedFile { kind, mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs }
    }
}

/// All files by their paths. The root has the empty path.
#[derive(Debug, Default)]
pub(super) struct MergedTree {
    files: Vec<MergedFile>,
    /// Number of the file that a path names. Hard links are paths with the same number.
    paths: BTreeMap<Vec<u8>, usize>,
}

impl MergedTree {
    /// All paths in the order of their bytes, each with the number of its file and the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], usize, &MergedFile)> {
        self.paths.iter().map(|(path, id)| (path.as_slice(), *id, &self.files[*id]))
    }

    /// Puts a layer on top.
    pub(super) fn add_layer(&mut self, layer: &FileSection) -> Result<()> {
        let mut added = Vec::new();
        entries::each(layer, |entry| {
            interrupt::check()?;
            let path = plain(&entry.path)?;
            let at = || OsStr::from_bytes(&path).shown().to_string();
            let (folder, name) = split(&path);
            if name == OPAQUE {
                self.remove_below(folder);
            } else if let Some(removed) = name.strip_prefix(WHITEOUT) {
                // the other names that begin so are notes of aufs, an old storage driver
                if !removed.starts_with(WHITEOUT) {
                    self.remove(&joined(folder, removed));
                }
            } else {
                let what = NewEntry::of(entry).with_context(at)?;
                added.push((path, what));
            }
            Ok(())
        })?;
        // a whiteout removes nothing of its own layer, wherever it stands
        for (path, what) in added {
            self.put(path, what)?;
        }
        Ok(())
    }

    fn put(&mut self, path: Vec<u8>, what: NewEntry) -> Result<()> {
        let id = match what {
            NewEntry::File(file) => {
                self.files.push(file);
                self.files.len() - 1
            }
            NewEntry::HardLink(target) => {
                let id = self.paths.get(&target).copied().with_context(|| {
                    let [path, target] = [&path, &target].map(|path| OsStr::from_bytes(path));
                    format!(
                        "{}: a hard link to {}, which is not there",
                        path.shown(),
                        target.shown()
                    )
                })?;
                ensure!(
                    !self.files[id].is_directory(),
                    "{}: a hard link to a folder",
                    OsStr::from_bytes(&path).shown()
                );
                id
            }
        };
        if !self.files[id].is_directory() {
            ensure!(!path.is_empty(), "the root is not a folder");
            self.remove_below(&path);
        }
        self.paths.insert(path, id);
        Ok(())
    }

    /// Removes a file, or a folder with all that is in it.
    fn remove(&mut self, path: &[u8]) {
        self.paths.remove(path);
        self.remove_below(path);
    }

    fn remove_below(&mut self, folder: &[u8]) {
        let prefix = joined(folder, b"");
        let below = self.paths.range(prefix.clone()..).map(|(path, _)| path);
        let below: Vec<Vec<u8>> = below
            .take_while(|path| path.starts_with(&prefix))
            .filter(|p| !p.is_empty())
            .cloned()
            .collect();
        for path in below {
            self.paths.remove(&path);
        }
    }

    /// Removes what engines make for themselves, and adds the folders that no layer describes.
    pub(super) fn complete(&mut self) -> Result<()> {
        for path in OF_ENGINES {
            self.remove(path);
        }
        let mut missing = BTreeMap::new();
        for path in self.paths.keys() {
            let mut at = path.as_slice();
            while !at.is_empty() {
                at = split(at).0;
                match self.paths.get(at) {
                    None => drop(missing.insert(at.to_vec(), path.clone())),
                    Some(id) if self.files[*id].is_directory() => {}
                    Some(_) => bail!(
                        "{}: {} is no folder",
                        OsStr::from_bytes(path).shown(),
                        OsStr::from_bytes(at).shown()
                    ),
                }
            }
        }
        missing.entry(Vec::new()).or_default();
        for path in
            missing.into_keys().filter(|path| !self.paths.contains_key(path)).collect::<Vec<_>>()
        {
            self.put(path, NewEntry::File(MergedFile::folder()))?;
        }
        Ok(())
    }
}

/// An entry of a layer.
enum NewEntry {
    File(MergedFile),
    HardLink(Vec<u8>),
}

impl NewEntry {
    fn of(entry: LayerEntry) -> Result<NewEntry> {
        let header = &entry.header;
        let device = || -> Result<(u32, u32)> {
            Ok((
                header.device_major()?.unwrap_or_default(),
                header.device_minor()?.unwrap_or_default(),
            ))
        };
        let kind = match header.entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                MergedKind::Regular(entry.content)
            }
            tar::EntryType::Directory => MergedKind::Directory,
            tar::EntryType::Symlink => MergedKind::Symlink(entry.target),
            tar::EntryType::Link => return Ok(NewEntry::HardLink(plain(&entry.target)?)),
            tar::EntryType::Fifo => MergedKind::Fifo,
            tar::EntryType::Char => {
                let (major, minor) = device()?;
                MergedKind::Char { major, minor }
            }
            tar::EntryType::Block => {
                let (major, minor) = device()?;
                MergedKind::Block { major, minor }
            }
            other => bail!(
                "an entry of the type {other:?}: expected a file, folder, link, device or fifo"
            ),
        };
        Ok(NewEntry::File(MergedFile {
            kind,
            mode: header.mode()? & 0o7777,
            uid: entry.records.uid.map_or_else(|| header.uid(), Ok)?,
            gid: entry.records.gid.map_or_else(|| header.gid(), Ok)?,
            mtime: entry.records.mtime.map_or_else(|| header.mtime(), Ok)?,
            xattrs: entry.records.xattrs,
        }))
    }
}

/// A path in a layer without `.` and without slashes at its ends.
fn plain(path: &[u8]) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    for part in path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        if part == b".." {
            bail!("{}: expected a path without `..`", OsStr::from_bytes(path).shown());
        }
        if !found.is_empty() {
            found.push(b'/');
        }
        found.extend(part);
    }
    Ok(found)
}

/// Folder and name of a path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}
