//! Reads an archive of `docker save` or `podman save`: finds configuration and layers in it.
//!
//! The archives of all engines have a `manifest.json` that names them; Docker since 25 adds an OCI image layout.

use super::scratch::unnamed_file;
use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use xtask_core::escape::Shown as _;
use xtask_core::hash;
use xtask_core::inner_path::plain;
use xtask_core::record_file;

/// Most bytes of manifest.json and of a configuration: the OCI distribution specification's limit for manifests.
const LARGEST: u64 = 4 << 20;
/// Most links from one name of a layer to the next.
const MOST_LINKS: usize = 8;

/// An image in an archive.
pub(super) struct SavedImage {
    pub(super) config: Value,
    /// From the lowest to the highest, each a tar that is not compressed.
    pub(super) layers: Vec<FileSection>,
}

/// A piece of a file. Every reader has a position of its own.
#[derive(Clone, Debug)]
pub(super) struct FileSection {
    file: Arc<File>,
    start: u64,
    pub(super) len: u64,
}

/// Reads a section.
pub(super) struct SectionReader {
    section: FileSection,
    at: u64,
}

impl FileSection {
    fn whole(file: File) -> Result<FileSection> {
        let len = file.metadata()?.len();
        Ok(FileSection { file: Arc::new(file), start: 0, len })
    }

    /// The `len` bytes at `start` of this section.
    pub(super) fn part(&self, start: u64, len: u64) -> Result<FileSection> {
        if start.checked_add(len).is_none_or(|end| end > self.len) {
            bail!("the archive ends within a member");
        }
        Ok(FileSection { file: self.file.clone(), start: self.start + start, len })
    }

    pub(super) fn reader(&self) -> SectionReader {
        SectionReader { section: self.clone(), at: 0 }
    }

    fn json(&self, what: &str) -> Result<Value> {
        if self.len > LARGEST {
            bail!("{what} is larger than {LARGEST} bytes");
        }
        serde_json::from_reader(BufReader::new(self.reader()))
            .with_context(|| format!("{what} is not JSON"))
    }
}

impl Read for SectionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.section.len.saturating_sub(self.at);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.section.file.read_at(&mut buffer[..most], self.section.start + self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for SectionReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.section.len.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A member of the archive: content, or a link to another name.
enum SavedMember {
    Content(FileSection),
    Link(String),
}

impl SavedImage {
    /// Opens an archive. Compressed layers are unpacked into files without a name in the folder `scratch`.
    pub(super) fn open(path: &Path, scratch: &Path) -> Result<SavedImage> {
        let archive = FileSection::whole(record_file::open(path)?)?;
        let members = members(&archive)?;
        let listed = content(&members, "manifest.json")?.json("manifest.json")?;
        let images = listed.as_array().context("manifest.json is not a list")?;
        let [image] = images.as_slice() else {
            bail!("expected one image in the archive, found {}", images.len());
        };
        let config = image["Config"].as_str().context("manifest.json names no Config")?;
        let config = content(&members, config)?.json("the image's configuration")?;
        let names = image["Layers"].as_array().context("manifest.json names no Layers")?;
        let ids = config["rootfs"]["diff_ids"]
            .as_array()
            .context("the configuration has no rootfs.diff_ids")?;
        if ids.len() != names.len() {
            bail!("the configuration has {} layers, and manifest.json {}", ids.len(), names.len());
        }
        let mut layers = Vec::new();
        for (name, id) in names.iter().zip(ids) {
            let name = name.as_str().context("a name in Layers is no text")?;
            let layer = unpacked(content(&members, name)?, scratch)?;
            let (found, _) = hash::reader(&mut layer.reader())?;
            let id = id.as_str().unwrap_or_default();
            if id != found.to_string() {
                bail!("layer {}: expected {}, found {found}", name.shown(), id.shown());
            }
            layers.push(layer);
        }
        Ok(SavedImage { config, layers })
    }
}

fn members(archive: &FileSection) -> Result<BTreeMap<String, SavedMember>> {
    let mut found = BTreeMap::new();
    let mut tar = tar::Archive::new(archive.reader());
    for entry in tar.entries_with_seek().context("it is no tar")? {
        let entry = entry.context("it is no complete tar")?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let target = || {
            let target = entry.link_name_bytes().unwrap_or_default();
            String::from_utf8_lossy(&target).into_owned()
        };
        let member = match entry.header().entry_type() {
            tar::EntryType::Regular => {
                SavedMember::Content(archive.part(entry.raw_file_position(), entry.size())?)
            }
            tar::EntryType::Link => SavedMember::Link(plain(&target())),
            // docker before 25 and podman save a layer that comes twice once
            tar::EntryType::Symlink => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                SavedMember::Link(plain(&format!("{folder}/{}", target())))
            }
            _ => continue,
        };
        found.insert(plain(&name), member);
    }
    Ok(found)
}

fn content(members: &BTreeMap<String, SavedMember>, name: &str) -> Result<FileSection> {
    let mut at = plain(name);
    for _ in 0..MOST_LINKS {
        match members.get(&at) {
            Some(SavedMember::Content(section)) => return Ok(section.clone()),
            Some(SavedMember::Link(next)) => at.clone_from(next),
            None => bail!("the archive has no {}", at.shown()),
        }
    }
    bail!("{} is a circle of links", name.shown())
}

/// The layer itself, or its content in a file of its own if it is compressed.
fn unpacked(layer: FileSection, scratch: &Path) -> Result<FileSection> {
    let mut magic = [0; 4];
    let n = layer.reader().take(4).read(&mut magic)?;
    match &magic[..n] {
        [0x1f, 0x8b, ..] => {
            let file = unnamed_file(scratch)?;
            let packed = BufReader::with_capacity(1 << 18, layer.reader());
            let mut to = BufWriter::with_capacity(1 << 20, &file);
            io::copy(&mut MultiGzDecoder::new(packed), &mut to).context("cannot unpack a layer")?;
            to.into_inner().map_err(io::IntoInnerError::into_error)?;
            FileSection::whole(file)
        }
        [0x28, 0xb5, 0x2f, 0xfd] => bail!("a layer is compressed with zstd: expected gzip or none"),
        _ => Ok(layer),
    }
}
