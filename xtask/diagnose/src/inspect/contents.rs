//! Everything that `inspect` reads of an image.

use super::boot::{self, BootEntry, BootFindings};
use super::kernel;
use super::roots::{self, Root};
use super::volumes::{self, RootImage, Volumes};
use crate::dates;
use anyhow::{Context as _, Result, anyhow};
use diskimage::{FieldKind, Format, Kind, Layer, Tree};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _};

/// Files that are named of those that are largest.
const LARGEST: usize = 8;

/// Roots that are read. Ubuntu's images have ten.
const ROOTS: usize = 64;

/// The contents of an image.
pub(super) struct Contents {
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) label: String,
    /// Seconds since 1970; the volume's modification date.
    pub(crate) volume_date: Option<i64>,
    /// SOURCE_DATE_EPOCH of its build, where it is known.
    pub(crate) epoch: Option<i64>,
    /// `BIOS`, `UEFI`: platforms of the boot images that El Torito names.
    pub(crate) firmware: Vec<String>,
    /// Partitions of a USB stick that holds the image.
    pub(crate) partitions: Vec<String>,
    pub(crate) boot: Vec<BootEntry>,
    /// Why other boot entries than these may be possible.
    pub(crate) boot_unclear: BTreeSet<String>,
    /// Path in the ISO and version.
    pub(crate) kernels: Vec<(String, String)>,
    /// Every squashfs and initramfs.
    pub(crate) roots: Vec<Root>,
    /// Why there may be other roots than these.
    pub(crate) roots_unclear: BTreeSet<String>,
    /// Path and bytes, largest first.
    pub(crate) largest: Vec<(String, u64)>,
    /// Dates of the volume and of the files in the ISO, seconds since 1970.
    pub(crate) times: Vec<(String, i64)>,
    pub(super) volumes: Volumes,
}

impl Contents {
    pub(crate) fn read(path: &Path, epoch: Option<i64>) -> Result<Contents> {
        let shown = || path.shown().to_string();
        let image = diskimage::open(path).with_context(shown).or_exit(Code::Usage)?;
        let mut contents = Contents {
            path: path.to_owned(),
            size: image.source.size().with_context(shown)?,
            label: String::new(),
            volume_date: None,
            epoch,
            firmware: Vec::new(),
            partitions: Vec::new(),
            boot: Vec::new(),
            boot_unclear: BTreeSet::new(),
            kernels: Vec::new(),
            roots: Vec::new(),
            roots_unclear: BTreeSet::new(),
            largest: Vec::new(),
            times: Vec::new(),
            volumes: Volumes::default(),
        };
        match &image.layer {
            Layer::Iso(iso) => {
                contents.volume(iso);
                contents.starts(iso);
                contents.files(&image.layer.tree()).with_context(shown)?;
                contents.volumes = volumes::find(&image.layer, &image.source, &image.budget)
                    .with_context(shown)?;
                contents.boots();
            }
            Layer::Squashfs(_) => contents.volumes.images.push(RootImage {
                path: String::new(),
                size: contents.size,
                source: image.source.clone(),
                format: Format::Squashfs,
            }),
            _ => return Err(anyhow!("{}: expected an ISO or a squashfs", path.shown())),
        }
        contents.roots(&image.budget).with_context(shown)?;
        Ok(contents)
    }

    /// The root that is the system: the first that has a package database, else the first.
    pub(crate) fn root(&self) -> Option<&Root> {
        let mut systems = self.roots.iter().filter(|root| !root.initramfs);
        systems.clone().find(|root| !root.packages.is_empty()).or_else(|| systems.next())
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

    /// Times and sizes of the files of the ISO.
    fn files(&mut self, tree: &Arc<dyn Tree>) -> Result<()> {
        let times = &mut self.times;
        let mut sizes = Vec::new();
        diskimage::walk(&**tree, &mut |path, node| {
            let path = String::from_utf8_lossy(path).into_owned();
            times.extend(node.metadata.mtime.map(|time| (path.clone(), time)));
            if node.metadata.kind == Kind::File {
                sizes.push((path, node.metadata.size));
            }
            Ok(())
        })?;
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        sizes.truncate(LARGEST);
        self.largest = sizes;
        Ok(())
    }

    /// Boot entries, kernels, and the initramfs that the entries name.
    fn boots(&mut self) {
        let volumes = &self.volumes;
        let BootFindings { entries, initrds, unclear } = boot::read(volumes);
        self.boot = entries.into_iter().collect();
        self.boot_unclear = unclear;
        for (number, file) in volumes.files() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            if name.starts_with("vmlinuz") || name.starts_with("linux") || name == "bzImage" {
                let version =
                    volumes.source(number).and_then(|source| kernel::version_of(&*source));
                let version = version.ok().flatten();
                self.kernels.extend(version.map(|version| (file.path.clone(), version)));
            }
        }
        self.kernels.sort();
        self.kernels.dedup();
        self.roots_unclear = volumes.unclear.clone();
        for number in initrds {
            let file = volumes.outer_file(number);
            if file.format != Some(Format::Initramfs) && !volumes.is_zero(number) {
                let what = "an initramfs in a format that is not read";
                self.roots_unclear.insert(format!("{}: {what}", file.path));
            }
        }
        self.roots_unclear.extend(
            volumes.exhausted().map(|volume| format!("{volume}: links that lead on and on")),
        );
        for (_, file) in volumes.files() {
            if let Some(what) = beside_the_entries(&file.path) {
                self.boot_unclear.insert(format!("{}: {what}", file.path));
            }
            // live-boot takes such a folder for a root, too
            let folder = file.path.split('/').rev().skip(1).find(|name| name.ends_with(".dir"));
            if let Some(folder) = folder {
                let what = "a root file system as a folder, which is not read";
                self.roots_unclear.insert(format!("{folder}: {what}"));
            }
        }
    }

    fn roots(&mut self, budget: &Arc<diskimage::Budget>) -> Result<()> {
        if self.volumes.images.len() > ROOTS {
            let what = format!("more than {ROOTS} images of root file systems");
            self.roots_unclear.insert(what);
        }
        for image in self.volumes.images.iter().take(ROOTS) {
            if let Err(error) = roots::read(image, self.epoch, budget, &mut self.roots) {
                // of an image that is a root itself, nothing else could be told
                if image.path.is_empty() {
                    return Err(error);
                }
                self.roots_unclear.insert(format!("{}: {error:#}", image.path));
            }
        }
        self.roots.sort_by_key(|root| root.initramfs);
        Ok(())
    }
}

/// A file that changes what boots without any entry that names it: what it is.
fn beside_the_entries(path: &str) -> Option<&'static str> {
    let path = format!("/{}", path.to_lowercase());
    let name = path.rsplit('/').next().unwrap_or_default();
    // systemd-stub(7)
    let of_stub = path.contains(".efi.extra.d/") || path.contains("/loader/");
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if of_stub && name.ends_with(".cred") {
        Some("a credential, which sets what services read")
    } else if path.contains(".efi.extra.d/") || (of_stub && ends(&[".raw", ".sysext", ".confext"]))
    {
        Some("an extension of a unified kernel image, which is not read")
    } else if [
        "/live/config.conf",
        "/live/config-hooks/",
        "/live/config-preseed/",
        "/live/boot.conf",
    ]
    .iter()
    .any(|part| path.contains(part))
    {
        Some("settings and scripts that live-boot and live-config take from the medium")
    } else {
        None
    }
}
