//! ISO 9660 with Rock Ridge and Joliet, El Torito, and the partition tables of a hybrid image.

mod date;
mod el_torito;
mod gaps;
mod record;
mod volume;

pub use el_torito::BootEntry;

use crate::budget::Budget;
use crate::disk::{self, Disk};
use crate::error::{Error, Result};
use crate::fat;
use crate::field::{Field, FieldKind};
use crate::source::{Parts, Shared, Slice, Source};
use crate::tree::{
    Content, Kind, LISTING, Metadata, Named, Node, Part, PartContent, Tree, is_name,
};
use record::Entry;
use std::sync::Arc;
use volume::Volumes;

pub(crate) const LAYER: &str = "ISO 9660";

/// Bytes of a logical sector.
pub(crate) const SECTOR: u64 = 2048;

/// Where the magic `CD001` is.
pub(crate) const MAGIC_OFFSET: u64 = 16 * SECTOR + 1;

/// Bytes before the volume descriptors, free for boot code and partition tables.
const SYSTEM_AREA: u64 = 16 * SECTOR;

/// Extents of one file; each but the last has nearly 4 GiB.
const EXTENTS: usize = 4096;

/// An ISO that is open, with its tree as Rock Ridge names it, or Joliet.
pub struct Iso {
    source: Shared,
    volumes: Arc<Volumes>,
    joliet: bool,
    /// Bytes before the system use areas; none: no Rock Ridge.
    skip: Option<u8>,
    boot: Vec<BootEntry>,
    /// What the catalogue says of who made it.
    boot_id: String,
    disk: Option<Disk>,
    /// What is wrong with the boot catalogue or the partition tables.
    broken: Option<Error>,
    budget: Arc<Budget>,
}

impl Iso {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Iso> {
        let volumes = Volumes::read(&*source)?;
        // the root's own record says whether there is Rock Ridge
        let first = extent_of_root(&*source, &volumes)?;
        let skip = Entry::read(&*source, first, Some(0))?.and_then(|entry| entry.rock.skip);
        let catalogue = match volumes.catalogue {
            Some(sector) => el_torito::read(&*source, sector * SECTOR),
            None => Ok((String::new(), Vec::new())),
        };
        let disk = Disk::read(&*source);
        // the files can be read without these: what is wrong with them is told after the files
        let broken = catalogue.as_ref().err().or(disk.as_ref().err()).cloned();
        let (boot_id, boot) = catalogue.unwrap_or_default();
        let disk = disk.unwrap_or_default();
        let volumes = Arc::new(volumes);
        Ok(Iso { source, volumes, joliet: false, skip, boot, boot_id, disk, broken, budget })
    }

    /// The ways in which firmware can start it.
    pub fn boot_entries(&self) -> &[BootEntry] {
        &self.boot
    }

    /// The partition tables before the volume.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Whether it has Rock Ridge's names and modes.
    pub fn rock_ridge(&self) -> bool {
        self.skip.is_some()
    }

    /// The tree of names that Windows reads.
    pub fn joliet(&self) -> Option<Iso> {
        self.volumes.joliet.as_ref()?;
        Some(Iso {
            source: self.source.clone(),
            volumes: self.volumes.clone(),
            joliet: true,
            skip: None,
            boot: Vec::new(),
            boot_id: String::new(),
            disk: None,
            broken: None,
            budget: self.budget.clone(),
        })
    }

    fn volume(&self) -> &volume::Volume {
        match &self.volumes.joliet {
            Some(joliet) if self.joliet => joliet,
            _ => &self.volumes.primary,
        }
    }

    fn entry(&self, offset: u64) -> Result<Entry> {
        Entry::read(&*self.source, offset, self.skip)?
            .ok_or_else(|| Error::new(LAYER, offset, "no directory record"))
    }

    /// Where a folder's records are.
    fn folder(&self, handle: u64) -> Result<(u64, u64)> {
        let entry = self.entry(handle)?;
        let Some(sector) = entry.rock.moved_to else { return Ok(entry.extent) };
        // its own record, the first, knows how long it is
        Ok(self.entry(sector * SECTOR)?.extent)
    }

    fn name(&self, entry: &Entry) -> Vec<u8> {
        if self.joliet {
            let name = ucs2(&entry.name);
            return name.strip_suffix(";1").unwrap_or(&name).as_bytes().to_vec();
        }
        match &entry.rock.name {
            Some(name) => name.clone(),
            None => {
                let name = entry.name.strip_suffix(b";1").unwrap_or(&entry.name);
                name.strip_suffix(b".").unwrap_or(name).to_vec()
            }
        }
    }

    fn metadata(&self, entry: &Entry) -> Result<Metadata> {
        let rock = &entry.rock;
        let kind = match rock.posix {
            Some((mode, ..)) if rock.moved_to.is_none() => {
                Kind::of_mode(mode).ok_or_else(|| {
                    Error::new(LAYER, entry.offset, format!("mode {mode:o} of no known kind"))
                })?
            }
            _ if entry.folder || rock.moved_to.is_some() => Kind::Folder,
            _ => Kind::File,
        };
        if entry.folder != (kind == Kind::Folder) && rock.moved_to.is_none() {
            return Err(Error::new(LAYER, entry.offset, "a folder and no folder at once"));
        }
        let mut about = Metadata::new(kind);
        if let Some((mode, links, uid, gid)) = rock.posix {
            about.mode = Some(mode & 0o7777);
            about.links = Some(links);
            about.uid = Some(uid);
            about.gid = Some(gid);
        }
        about.mtime = rock.times[1].or(entry.recorded);
        if about.mtime != entry.recorded
            && let Some(recorded) = entry.recorded
        {
            about.more.push(("record date", xtask_core::calendar::utc(recorded)));
        }
        for (name, index) in [("creation time", 0), ("access time", 2), ("change time", 3)] {
            // usually they are the same, and would say the same thing four times
            if let Some(time) = rock.times[index].filter(|time| Some(*time) != about.mtime) {
                about.more.push((name, xtask_core::calendar::utc(time)));
            }
        }
        match kind {
            Kind::File => about.size = self.extents(entry)?.iter().map(|(_, len)| len).sum(),
            Kind::Symlink => {
                about.target = rock.target.clone();
                about.size = rock.target.as_ref().map_or(0, |target| target.len() as u64);
            }
            Kind::Char | Kind::Block => about.device = rock.device,
            Kind::Folder | Kind::Fifo | Kind::Socket => {}
        }
        Ok(about)
    }

    /// Offsets and bytes of a file's extents, which are in records one after the other.
    fn extents(&self, first: &Entry) -> Result<Vec<(u64, u64)>> {
        let mut extents = vec![first.extent];
        let (mut more, mut at) = (first.continues, first.offset + first.len);
        while more {
            if extents.len() == EXTENTS {
                return Err(Error::new(LAYER, at, "a file in too many extents"));
            }
            let next = match Entry::read(&*self.source, at, None)? {
                Some(next) => next,
                None => self.entry(at.next_multiple_of(SECTOR))?,
            };
            extents.push(next.extent);
            (more, at) = (next.continues, next.offset + next.len);
        }
        Ok(extents)
    }

    /// Calls `each` with every record of a folder but its own and its parent's.
    fn records(&self, folder: u64, each: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let (start, len) = self.folder(folder)?;
        let end = start.saturating_add(len);
        let size = self.source.size()?;
        if end > size {
            let why = format!("a folder that ends {} bytes behind the image", end - size);
            return Err(Error::new(LAYER, start, why));
        }
        let (mut at, mut index) = (start, 0_u64);
        while at < end {
            let Some(entry) = Entry::read(&*self.source, at, self.skip)? else {
                at = (at + 1).next_multiple_of(SECTOR);
                continue;
            };
            self.budget.entries(LAYER, at, 1)?;
            at += entry.len;
            index += 1;
            // the first two are the folder itself and its parent
            if index > 2 {
                each(entry)?;
            }
        }
        Ok(())
    }
}

/// Offset of the first record of the root.
fn extent_of_root(source: &dyn Source, volumes: &Volumes) -> Result<u64> {
    let offset = volumes.primary.root();
    let root = Entry::read(source, offset, None)?;
    Ok(root.ok_or_else(|| Error::new(LAYER, offset, "no root folder"))?.extent.0)
}

impl Tree for Iso {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = self.volume().fields().unwrap_or_default();
        if self.joliet {
            return fields;
        }
        let each = |show: &dyn Fn(&BootEntry) -> String| {
            self.boot.iter().map(show).collect::<Vec<_>>().join("; ")
        };
        if !self.boot.is_empty() {
            fields.push(Field::new(FieldKind::BootRecord, "El Torito id", &self.boot_id));
            let entries = each(&|e| {
                let bootable = if e.bootable { "" } else { " not bootable" };
                format!(
                    "{}{bootable} emulation {} segment {:x} sectors {} {}",
                    e.platform, e.emulation, e.load_segment, e.sectors, e.criteria
                )
                .trim_end()
                .to_string()
            });
            fields.push(Field::new(FieldKind::BootRecord, "El Torito entries", entries));
            let offsets = each(&|e| e.offset.to_string());
            fields.push(Field::new(FieldKind::Extent, "El Torito images", offsets));
        }
        if let Some(disk) = &self.disk {
            fields.extend(disk.fields());
        }
        fields
    }

    fn root(&self) -> Result<Node> {
        let handle = self.volume().root();
        let mut entry = self.entry(handle)?;
        if let Some(skip) = self.skip {
            // Rock Ridge's part of the root is in its first record
            let own = Entry::read(&*self.source, entry.extent.0, Some(skip))?;
            entry.rock = own.map(|own| own.rock).unwrap_or_default();
        }
        let metadata = self.metadata(&entry)?;
        if metadata.kind != Kind::Folder {
            return Err(Error::new(LAYER, handle, "the root is no folder"));
        }
        Ok(Node { metadata, handle })
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let mut names: Vec<Named> = Vec::new();
        let mut kept = 0;
        // the records that continue a file are part of it
        let mut continues = false;
        self.records(folder.handle, &mut |entry| {
            let part = std::mem::replace(&mut continues, entry.continues);
            if part || entry.rock.moved_here {
                return Ok(());
            }
            let name = self.name(&entry);
            if !is_name(&name) {
                let why = "a name that leads out of its folder";
                return Err(Error::new(LAYER, entry.offset, why));
            }
            kept += name.len() + 256 + entry.rock.target.as_ref().map_or(0, Vec::len);
            if kept > LISTING {
                return Err(Error::new(LAYER, entry.offset, "a folder of too many names"));
            }
            names.push((name, Node { metadata: self.metadata(&entry)?, handle: entry.offset }));
            Ok(())
        })?;
        Ok(names)
    }

    fn place(&self, file: &Node) -> Option<u64> {
        self.entry(file.handle).ok().map(|entry| entry.extent.0)
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let entry = self.entry(file.handle)?;
        let extents = self.extents(&entry)?;
        Ok(Content::Plain(match extents[..] {
            [(start, len)] => Arc::new(Slice::new(self.source.clone(), start, len)),
            _ => {
                let extents = extents.into_iter().map(|(start, len)| (Some(start), len));
                Arc::new(Parts::new(self.source.clone(), extents))
            }
        }))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        if self.joliet {
            return Ok(Vec::new());
        }
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let mut parts = Vec::new();
        if let Some(joliet) = self.joliet() {
            let what = PartContent::Tree(Arc::new(joliet));
            parts.push(Part { name: "[Joliet]".into(), place: None, what });
        }
        let images = self.images();
        for (name, start, len) in &images {
            let source = Arc::new(Slice::new(self.source.clone(), *start, *len));
            parts.push(Part::bytes(name, Some(*start), source));
        }
        parts.extend(gaps::parts(self, &images)?);
        Ok(parts)
    }
}

impl Iso {
    /// Boot images and partitions: what they are called, offset, bytes.
    fn images(&self) -> Vec<(String, u64, u64)> {
        let mut images: Vec<(String, u64, u64)> = Vec::new();
        let end = self.source.size().unwrap_or(0);
        if let Some(gpt) = self.disk.as_ref().and_then(|disk| disk.gpt.as_ref()) {
            // xorriso's other partitions stand for the ISO itself and for what fills it up
            for partition in &gpt.partitions {
                if partition.start >= SYSTEM_AREA && !partition.name.starts_with("Gap") {
                    let name = format!("[partition {}]", partition.name);
                    images.push((name, partition.start, partition.len));
                }
            }
        }
        if let Some(disk) = &self.disk {
            for partition in disk.mbr.iter().filter(|p| p.kind == 0xef) {
                images.push(("[EFI partition]".into(), partition.start, partition.len));
            }
        }
        for (index, entry) in self.boot.iter().enumerate() {
            let said = u64::from(entry.sectors) * disk::SECTOR;
            let image = Slice::new(self.source.clone(), entry.offset, end);
            // the count of sectors has 16 bits, and firmware wants 1 or 0 of large images
            let len = fat::size(&image).filter(|len| *len > said).unwrap_or(said);
            let name = format!("[{} boot image {}]", entry.platform, index + 1);
            images.push((name, entry.offset, len));
        }
        let mut known = std::collections::HashSet::new();
        // the ISO itself is a partition, too, when its start is given
        images.retain(|(_, start, len)| {
            *start >= SYSTEM_AREA + SECTOR
                && *len > 0
                && start.checked_add(*len).is_some_and(|image_end| image_end <= end)
                && known.insert(*start)
        });
        images
    }
}

/// UCS-2, big end first, as UTF-8.
fn ucs2(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}
