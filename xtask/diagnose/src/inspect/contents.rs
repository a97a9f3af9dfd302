//! Everything that is told of an image, read in one walk through each of its trees.

use super::boot::{self, BootEntry};
use super::sources;
use super::{kernel, text};
use crate::dates;
use crate::packages::versions;
use anyhow::{Context as _, Result, anyhow};
use diskimage::{FieldKind, Kind, Layer, Tree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xtask_core::apt::sources::Source;
use xtask_core::deb822;

/// Files that are named of those that are largest.
const LARGEST: usize = 8;
/// Bytes of a boot configuration or of machine-id that are looked at.
const CONFIG: usize = 4 << 20;

/// What is in an image.
pub(crate) struct Contents {
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) label: String,
    /// Seconds since 1970; the volume's modification date.
    pub(crate) volume_date: Option<i64>,
    /// SOURCE_DATE_EPOCH of its build, where it is known.
    pub(crate) epoch: Option<i64>,
    /// `BIOS`, `UEFI`: what El Torito can start, and whether its image is there.
    pub(crate) firmware: Vec<String>,
    /// Whether there is a partition table to start from a USB stick.
    pub(crate) partitions: Vec<String>,
    pub(crate) boot: Vec<BootEntry>,
    /// Path in the ISO and version.
    pub(crate) kernels: Vec<(String, String)>,
    pub(crate) root: Option<Root>,
    /// Path and bytes, largest first.
    pub(crate) largest: Vec<(String, u64)>,
    /// Dates of the volume and of the files in the ISO, seconds since 1970.
    pub(crate) times: Vec<(String, i64)>,
    /// The trees, for who searches them: name and tree.
    pub(crate) trees: Vec<(String, Arc<dyn Tree>)>,
}

/// The root file system.
pub(crate) struct Root {
    /// Path of the squashfs in the ISO.
    pub(crate) path: String,
    /// Bytes of the squashfs.
    pub(crate) size: u64,
    pub(crate) compressor: String,
    pub(crate) entries: u64,
    /// Bytes of all files, unpacked.
    pub(crate) unpacked: u64,
    /// Version by name.
    pub(crate) packages: BTreeMap<String, String>,
    /// Name and kibibytes, largest first.
    pub(crate) largest_packages: Vec<(String, u64)>,
    pub(crate) sources: Vec<Source>,
    /// Content of etc/machine-id; none: no such file.
    pub(crate) machine_id: Option<Vec<u8>>,
    /// Paths and bytes of the files that policies ask for.
    pub(crate) files: Vec<(String, u64)>,
    /// Path and mtime of what has the latest times, seconds since 1970, latest first.
    pub(crate) latest: Vec<(String, i64)>,
    /// How many entries have each of the times that are later than `epoch`.
    pub(crate) late: u64,
}

impl Contents {
    pub(crate) fn read(path: &Path, epoch: Option<i64>) -> Result<Contents> {
        let shown = || path.display().to_string();
        let image = diskimage::open(path).with_context(shown)?;
        let size = image.source.size().with_context(shown)?;
        let tree = image.layer.tree();
        let mut contents = Contents {
            path: path.to_owned(),
            size,
            label: String::new(),
            volume_date: None,
            epoch,
            firmware: Vec::new(),
            partitions: Vec::new(),
            boot: Vec::new(),
            kernels: Vec::new(),
            root: None,
            largest: Vec::new(),
            times: Vec::new(),
            trees: Vec::new(),
        };
        match &image.layer {
            Layer::Iso(iso) => {
                contents.volume(iso);
                contents.starts(iso);
                contents.files(&tree, &image).with_context(shown)?;
            }
            Layer::Squashfs(_) => contents.root_from(String::new(), size, &tree)?,
            _ => {
                return Err(anyhow!("{}: expected an ISO or a squashfs", path.display()));
            }
        }
        contents.trees.insert(0, (String::new(), tree));
        Ok(contents)
    }

    fn volume(&mut self, iso: &diskimage::Iso) {
        for field in iso.fields() {
            match field.kind {
                FieldKind::VolumeName if field.name == "volume label" => self.label = field.value,
                FieldKind::VolumeDate => {
                    let date = dates::at(&field.value).map(|(_, moment)| moment.seconds);
                    if field.name == "volume modification date" {
                        self.volume_date = date;
                    }
                    // an expiration may lie ahead
                    if !field.name.contains("expiration") {
                        self.times.extend(date.map(|date| (field.name.to_owned(), date)));
                    }
                }
                _ => {}
            }
        }
        self.epoch = self.epoch.or(self.volume_date);
    }

    fn starts(&mut self, iso: &diskimage::Iso) {
        let bootable =
            iso.boot_entries().iter().filter(|entry| entry.bootable && entry.sectors > 0);
        self.firmware = bootable.map(|entry| entry.platform.clone()).collect();
        if let Some(disk) = iso.disk() {
            let of_mbr =
                disk.mbr.iter().map(|p| format!("MBR type {:02x}, {} bytes", p.kind, p.len));
            self.partitions.extend(of_mbr);
            let gpt = disk.gpt.iter().flat_map(|gpt| &gpt.partitions);
            self.partitions.extend(gpt.map(|p| format!("GPT `{}`, {} bytes", p.name, p.len)));
        }
    }

    /// Walks through the files of the ISO, and opens the root file system.
    fn files(&mut self, tree: &Arc<dyn Tree>, image: &diskimage::Image) -> Result<()> {
        let mut sizes = Vec::new();
        let mut configs = Vec::new();
        let mut kernels = Vec::new();
        let mut roots = Vec::new();
        let times = &mut self.times;
        diskimage::walk(&**tree, &mut |path, node| {
            let path = String::from_utf8_lossy(path).into_owned();
            times.extend(node.metadata.mtime.map(|time| (path.clone(), time)));
            if node.metadata.kind != Kind::File {
                return Ok(());
            }
            sizes.push((path.clone(), node.metadata.size));
            let name = path.rsplit('/').next().unwrap_or_default();
            if boot::is_config(&path) {
                configs.push((path, node.clone()));
            } else if name.starts_with("vmlinuz") || name.starts_with("linux") || name == "bzImage"
            {
                kernels.push((path, node.clone()));
            } else if name.ends_with(".squashfs") || name.ends_with(".sfs") {
                roots.push((path, node.clone()));
            }
            Ok(())
        })?;
        for (path, node) in configs {
            let bytes = tree.open(&node)?.source().up_to(0, CONFIG)?;
            self.boot.extend(boot::entries(&path, &String::from_utf8_lossy(&bytes)));
        }
        for (path, node) in kernels {
            let bytes = tree.open(&node)?.source().up_to(0, kernel::ENOUGH)?;
            self.kernels.extend(kernel::version(&bytes).map(|version| (path, version)));
        }
        self.kernels.sort();
        self.kernels.dedup();
        for (path, node) in roots {
            let source = tree.open(&node)?.source();
            let layer = Layer::of(&source, &image.budget).with_context(|| path.clone())?;
            if let Some(layer @ Layer::Squashfs(_)) = layer {
                let inner = layer.tree();
                self.root_from(path, node.metadata.size, &inner)?;
            }
        }
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        sizes.truncate(LARGEST);
        self.largest = sizes;
        Ok(())
    }

    /// Takes a squashfs for the root file system if it has a package database, or is the first.
    fn root_from(&mut self, path: String, size: u64, tree: &Arc<dyn Tree>) -> Result<()> {
        let status = text(&**tree, "var/lib/dpkg/status")?;
        self.trees.push((path.clone(), tree.clone()));
        if self.root.is_some() && status.is_none() {
            return Ok(());
        }
        let status = status.unwrap_or_default();
        let mut root = Root {
            size,
            compressor: compressor(&**tree),
            entries: 0,
            unpacked: 0,
            packages: versions(&status),
            largest_packages: installed_sizes(&status),
            sources: sources::of(&**tree)?,
            machine_id: diskimage::read(&**tree, b"etc/machine-id", CONFIG)?,
            files: Vec::new(),
            latest: Vec::new(),
            late: 0,
            path,
        };
        let epoch = self.epoch.unwrap_or(i64::MAX);
        diskimage::walk(&**tree, &mut |path, node| {
            root.entries += 1;
            let metadata = &node.metadata;
            let time = metadata.mtime.unwrap_or_default();
            let path = || String::from_utf8_lossy(path).into_owned();
            if time > epoch {
                root.late += 1;
                if root.latest.len() < LARGEST {
                    root.latest.push((path(), time));
                }
            }
            if metadata.kind == Kind::File {
                root.unpacked = root.unpacked.saturating_add(metadata.size);
            }
            if metadata.kind != Kind::Folder {
                let path = path();
                if super::rules::is_asked_for(&path) {
                    // a link holds nothing itself: systemd's var/log/README is no log
                    let held = if metadata.kind == Kind::File { metadata.size } else { 0 };
                    root.files.push((path, held));
                }
            }
            Ok(())
        })?;
        self.root = Some(root);
        Ok(())
    }
}

fn compressor(tree: &dyn Tree) -> String {
    let field = tree.fields().into_iter().find(|field| field.name == "compressor");
    field.map(|field| field.value).unwrap_or_default()
}

/// Packages with their Installed-Size, largest first.
fn installed_sizes(status: &str) -> Vec<(String, u64)> {
    let size = |package: &deb822::Paragraph<'_>| {
        Some((package.get("Package")?.to_owned(), package.get("Installed-Size")?.parse().ok()?))
    };
    let mut sizes: Vec<(String, u64)> =
        deb822::paragraphs(status).iter().filter_map(size).collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    sizes.truncate(LARGEST);
    sizes
}
