//! ISO 9660 with Rock Ridge and Joliet, El Torito, and the partition tables of a hybrid image.

mod date;
mod el_torito;
mod gaps;
mod images;
mod leftover;
mod path_table;
mod record;
mod tree;
mod volume;

pub use el_torito::BootEntry;

use crate::budget::Budget;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::source::Shared;
use record::Records;
use std::sync::Arc;
use volume::Volumes;

pub(crate) const LAYER: &str = "ISO 9660";

/// Bytes of a logical sector.
pub(crate) const SECTOR: u64 = 2048;

/// Offset of the magic `CD001`.
pub(crate) const MAGIC_OFFSET: u64 = 16 * SECTOR + 1;

/// Bytes before the volume descriptors, free for boot code and partition tables.
const SYSTEM_AREA: u64 = 16 * SECTOR;

/// An open ISO, with the tree of Rock Ridge, or that of Joliet.
pub struct Iso {
    source: Shared,
    volumes: Arc<Volumes>,
    joliet: bool,
    /// Bytes before the system use areas; `None`: no Rock Ridge.
    skip: Option<u8>,
    boot: Vec<BootEntry>,
    /// Identification of the maker in the boot catalogue.
    boot_id: String,
    disk: Option<Disk>,
    /// Damage of the boot catalogue or the partition tables.
    broken: Option<Error>,
    budget: Arc<Budget>,
}

impl Iso {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Iso> {
        let volumes = Volumes::read(&*source)?;
        // the root's own record says whether there is Rock Ridge
        let records = |skip| Records { source: &*source, budget: &budget, skip };
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
        Ok(Iso { source, volumes, joliet: false, skip, boot, boot_id, disk, broken, budget })
    }

    /// The entries of the boot catalogue: how firmware can start the image.
    pub fn boot_entries(&self) -> &[BootEntry] {
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
        Some(self.names_only(true))
    }

    /// The tree of plain names, which readers see that know no Rock Ridge.
    pub fn plain(&self) -> Iso {
        self.names_only(false)
    }

    /// Why the boot catalogue or the partition tables cannot be read.
    pub fn broken(&self) -> Option<&Error> {
        self.broken.as_ref()
    }

    fn names_only(&self, joliet: bool) -> Iso {
        Iso {
            source: self.source.clone(),
            volumes: self.volumes.clone(),
            joliet,
            skip: None,
            boot: Vec::new(),
            boot_id: String::new(),
            disk: None,
            broken: None,
            budget: self.budget.clone(),
        }
    }

    fn records(&self) -> Records<'_> {
        Records { source: &*self.source, budget: &self.budget, skip: self.skip }
    }

    fn volume(&self) -> &volume::Volume {
        match &self.volumes.joliet {
            Some(joliet) if self.joliet => joliet,
            _ => &self.volumes.primary,
        }
    }
}

/// UTF-8 of big-endian UCS-2.
fn ucs2(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}
