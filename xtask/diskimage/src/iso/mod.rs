//! ISO 9660 with Rock Ridge and Joliet, El Torito, and the partition tables of a hybrid image.

mod date;
mod el_torito;
mod gaps;
mod images;
mod leftover;
mod path_table;
mod record;
mod sector;
mod tree;
mod volume;

pub use el_torito::CatalogueEntry;
pub(crate) use sector::MAGIC_OFFSET;

use crate::budget::Budget;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::source::Shared;
use record::RecordReader;
use sector::SECTOR;
use std::sync::Arc;
use volume::VolumeDescriptors;

/// An open ISO, with the tree of Rock Ridge, or that of Joliet.
pub struct Iso {
    source: Shared,
    volumes: Arc<VolumeDescriptors>,
    joliet: bool,
    /// Bytes before the system use areas; `None`: no Rock Ridge.
    skip: Option<u8>,
    boot: Vec<CatalogueEntry>,
    /// Identification of the maker in the boot catalogue.
    boot_id: String,
    disk: Option<Disk>,
    /// Damage of the boot catalogue or the partition tables.
    broken: Option<Error>,
    /// `true` if folders list every record, also those that Rock Ridge or the record before says to
    /// pass over.
    every_record: bool,
    budget: Arc<Budget>,
}

impl Iso {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Iso> {
        let volumes = VolumeDescriptors::read(&*source)?;
        // the root's own record says whether there is Rock Ridge
        let records = |skip| RecordReader { source: &*source, budget: &budget, skip };
        let root = records(None).at(volumes.primary.root())?;
        let skip = records(Some(0)).read(root.extent.0)?.and_then(|entry| entry.rock.skip);
        let catalogue = match volumes.catalogue {
            Some(sector) => el_torito::read(&*source, sector * SECTOR),
            None => Ok((String::new(), Vec::new())),
        };
        let disk = Disk::read(&*source);
        // the files can be read without these, so their damage is reported after the files
        let broken = catalogue.as_ref().err().or(disk.as_ref().err()).cloned();
        let (boot_id, boot) = catalogue.unwrap_or_default();
        let disk = disk.unwrap_or_default();
        let volumes = Arc::new(volumes);
        Ok(Iso {
            source,
            volumes,
            joliet: false,
            skip,
            boot,
            boot_id,
            disk,
            broken,
            every_record: false,
            budget,
        })
    }

    /// The entries of the boot catalogue: how firmware can start the image.
    pub fn boot_entries(&self) -> &[CatalogueEntry] {
        &self.boot
    }

    /// The partition tables before the volume.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// `true` if there are Rock Ridge names and modes.
    pub fn rock_ridge(&self) -> bool {
        self.skip.is_some()
    }

    /// The tree of Joliet, which Windows reads.
    pub fn joliet(&self) -> Option<Iso> {
        self.volumes.joliet.as_ref()?;
        Some(self.names(true, None))
    }

    /// The trees that other readers may see in the same image: with every record, since GRUB passes
    /// over none, and with plain names, since isolinux knows no Rock Ridge.
    pub fn as_others_read_it(&self) -> Vec<(&'static str, Iso)> {
        let every = |skip| Iso { every_record: true, ..self.names(false, skip) };
        let mut views = vec![("every record", every(self.skip))];
        if self.skip.is_some() {
            views.push(("ISO 9660 names", every(None)));
        }
        views.extend(self.joliet().map(|joliet| ("Joliet", joliet)));
        views
    }

    /// Why the boot catalogue or the partition tables cannot be read.
    pub fn broken(&self) -> Option<&Error> {
        self.broken.as_ref()
    }

    /// `true` if there is more than one volume descriptor of a kind; readers disagree which counts.
    pub fn is_ambiguous(&self) -> bool {
        self.volumes.ambiguous
    }

    /// The same image with the names of Joliet or not, and without its boot records.
    fn names(&self, joliet: bool, skip: Option<u8>) -> Iso {
        Iso {
            source: self.source.clone(),
            volumes: self.volumes.clone(),
            joliet,
            skip,
            boot: Vec::new(),
            boot_id: String::new(),
            disk: None,
            broken: None,
            every_record: false,
            budget: self.budget.clone(),
        }
    }

    fn records(&self) -> RecordReader<'_> {
        RecordReader { source: &*self.source, budget: &self.budget, skip: self.skip }
    }

    fn volume(&self) -> &volume::VolumeDescriptor {
        match &self.volumes.joliet {
            Some(joliet) if self.joliet => joliet,
            _ => &self.volumes.primary,
        }
    }
}
