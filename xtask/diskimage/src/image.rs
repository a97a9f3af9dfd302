//! Recognises formats by their bytes, and opens them.

use crate::archive::{Archive, ar, cpio, tar, zip};
use crate::budget::Budget;
use crate::container::LayeredImage;
use crate::disk::{self, DiskImage};
use crate::elf::{self, Elf};
use crate::error::{Error, Result};
use crate::ext::{self, Ext};
use crate::fat::{self, Fat};
use crate::folder::Folder;
use crate::iso::{self, Iso};
use crate::pe::{self, Pe};
use crate::source::{LocalFile, Shared};
use crate::squashfs::{self, Squashfs};
use crate::tree::Tree;
use crate::unpack::stream::codec_of;
use crate::unpack::{Codec, Compressed};
use std::path::Path;
use std::sync::Arc;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Iso,
    Squashfs,
    Fat,
    /// Also ext2 and ext3.
    Ext,
    /// cpio, also several and compressed.
    Initramfs,
    Tar,
    /// Also a .deb.
    Ar,
    /// Also a jar, a wheel, an apk.
    Zip,
    Compressed(Codec),
    Elf,
    /// EFI programs, also a unified kernel image.
    Pe,
    /// A disk with a partition table.
    Disk,
}

impl Format {
    /// `true` if it holds a tree of files that can be read in any order.
    pub fn is_file_system(self) -> bool {
        matches!(self, Format::Iso | Format::Squashfs | Format::Fat | Format::Ext | Format::Disk)
    }

    /// The format of some bytes, by those at the places of its magic numbers; `None`: no format that
    /// is read. See [`unread_format`](crate::unread_format) for the others.
    pub fn of(source: &Shared, budget: &Arc<Budget>) -> Result<Option<Format>> {
        let start = source.up_to(0, 512)?;
        if start.starts_with(squashfs::MAGIC) {
            return Ok(Some(Format::Squashfs));
        }
        if start.starts_with(elf::MAGIC) {
            return Ok(Some(Format::Elf));
        }
        if start.starts_with(ar::MAGIC) {
            return Ok(Some(Format::Ar));
        }
        if zip::is_zip(&start) {
            return Ok(Some(Format::Zip));
        }
        if pe::is_pe(&**source)? {
            return Ok(Some(Format::Pe));
        }
        if cpio::is_initramfs(source, budget) {
            return Ok(Some(Format::Initramfs));
        }
        if let Some(codec) = codec_of(&start) {
            return Ok(Some(Format::Compressed(codec)));
        }
        if tar::is_tar(&start) {
            return Ok(Some(Format::Tar));
        }
        if source.up_to(iso::MAGIC_OFFSET, 5)? == b"CD001" {
            return Ok(Some(Format::Iso));
        }
        if ext::is_ext(&**source)? {
            return Ok(Some(Format::Ext));
        }
        if fat::is_fat(&start) {
            return Ok(Some(Format::Fat));
        }
        Ok(disk::is_disk(&**source)?.then_some(Format::Disk))
    }
}

/// An open layer.
#[derive(Clone)]
pub enum Layer {
    Iso(Arc<Iso>),
    Squashfs(Arc<Squashfs>),
    Fat(Arc<Fat>),
    Ext(Arc<Ext>),
    Archive(Arc<Archive>),
    /// A tar with the parts of a container's image.
    Container(Arc<LayeredImage>),
    Compressed(Arc<Compressed>),
    Elf(Arc<Elf>),
    Pe(Arc<Pe>),
    Disk(Arc<DiskImage>),
}

impl Layer {
    pub fn open(format: Format, source: Shared, budget: &Arc<Budget>) -> Result<Layer> {
        let budget = budget.clone();
        Ok(match format {
            Format::Iso => Layer::Iso(Arc::new(Iso::open(source, budget)?)),
            Format::Squashfs => Layer::Squashfs(Arc::new(Squashfs::open(source, budget)?)),
            Format::Fat => Layer::Fat(Arc::new(Fat::open(source, budget)?)),
            Format::Ext => Layer::Ext(Arc::new(Ext::open(source, budget)?)),
            Format::Initramfs => Layer::Archive(Arc::new(cpio::open(&source, budget)?)),
            Format::Tar => {
                let archive = Arc::new(tar::open(&source, budget.clone())?);
                match LayeredImage::of_archive(&archive, &budget)? {
                    Some(image) => Layer::Container(Arc::new(image)),
                    None => Layer::Archive(archive),
                }
            }
            Format::Ar => Layer::Archive(Arc::new(ar::open(&source, budget)?)),
            Format::Zip => Layer::Archive(Arc::new(zip::open(&source, budget)?)),
            Format::Compressed(codec) => {
                Layer::Compressed(Arc::new(Compressed::open(source, codec, budget)))
            }
            Format::Elf => Layer::Elf(Arc::new(Elf::open(&source)?)),
            Format::Pe => Layer::Pe(Arc::new(Pe::open(source, budget)?)),
            Format::Disk => Layer::Disk(Arc::new(DiskImage::open(source, budget)?)),
        })
    }

    /// Opens `source` as the format that its bytes show; `None`: no format that is read.
    pub fn of(source: &Shared, budget: &Arc<Budget>) -> Result<Option<Layer>> {
        Format::of(source, budget)?
            .map(|format| Layer::open(format, source.clone(), budget))
            .transpose()
    }

    /// The tree of files in it.
    pub fn tree(&self) -> Arc<dyn Tree> {
        match self {
            Layer::Iso(tree) => tree.clone(),
            Layer::Squashfs(tree) => tree.clone(),
            Layer::Fat(tree) => tree.clone(),
            Layer::Ext(tree) => tree.clone(),
            Layer::Archive(tree) => tree.clone(),
            Layer::Container(tree) => tree.clone(),
            Layer::Compressed(tree) => tree.clone(),
            Layer::Elf(tree) => tree.clone(),
            Layer::Pe(tree) => tree.clone(),
            Layer::Disk(tree) => tree.clone(),
        }
    }
}

/// A folder of this machine: an OCI image layout, or any other one.
pub fn open_folder(path: &Path) -> Result<Arc<dyn Tree>> {
    // nothing on this machine's disk is a bomb, but a file of it may unpack to one
    let budget = Budget::for_size(64 << 30);
    Ok(match LayeredImage::of_folder(path, &budget)? {
        Some(image) => Arc::new(image),
        None => Arc::new(Folder::open(path)),
    })
}

/// A file of this machine that is an image.
pub struct Image {
    pub source: Shared,
    pub layer: Layer,
    pub budget: Arc<Budget>,
}

/// Opens an image by its path.
pub fn open(path: &Path) -> Result<Image> {
    let file = LocalFile::open(path).map_err(|error| Error::new("file", 0, error.to_string()))?;
    let source: Shared = Arc::new(file);
    let budget = Budget::for_size(source.size()?);
    let layer = Layer::of(&source, &budget)?
        .ok_or_else(|| Error::new("file", 0, "no image of a format that is read"))?;
    Ok(Image { source, layer, budget })
}
