//! The tree of an ISO: names, metadata and content of its directory records.

use super::record::{DirectoryRecord, RecordReader};
use super::sector::{LAYER, SECTOR};
use super::volume::ucs2;
use super::{CatalogueEntry, Iso, gaps, leftover};
use crate::disk::Anchors;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::{printable, rest_text};
use crate::source::{Extents, Slice};
use crate::tree::{
    Content, Kind, Listing, Metadata, Named, Node, Part, PartContent, Tree, is_name,
};
use std::sync::Arc;
use xtask_core::calendar;

/// Extents of one file; each but the last has nearly 4 GiB.
const EXTENTS: usize = 4096;

impl Iso {
    pub(super) fn entry(&self, offset: u64) -> Result<DirectoryRecord> {
        self.records().at(offset)
    }

    /// The record of the root in the volume descriptor. Rock Ridge's part of it is in the root's
    /// first record.
    pub(super) fn root_entry(&self) -> Result<DirectoryRecord> {
        let records = RecordReader { skip: None, ..self.records() };
        let mut entry = records.at(self.volume().root())?;
        if self.skip.is_some() {
            entry.rock = self.entry(entry.extent.0)?.rock;
        }
        Ok(entry)
    }

    /// Offset and bytes of a folder's records.
    pub(super) fn folder(&self, handle: u64) -> Result<(u64, u64)> {
        let entry = self.entry(handle)?;
        let Some(sector) = entry.rock.moved_to else { return Ok(entry.extent) };
        // its own record, the first, knows how long it is
        Ok(self.entry(sector * SECTOR)?.extent)
    }

    fn name(&self, entry: &DirectoryRecord) -> Vec<u8> {
        if self.joliet {
            let name = ucs2(&entry.name);
            return name.strip_suffix(b";1").unwrap_or(&name).to_vec();
        }
        match &entry.rock.name {
            Some(name) => name.clone(),
            None => {
                let name = entry.name.strip_suffix(b";1").unwrap_or(&entry.name);
                // boot loaders take any version
                let version = name.iter().rposition(|b| *b == b';').filter(|_| self.every_record);
                let name = version.map_or(name, |at| &name[..at]);
                name.strip_suffix(b".").unwrap_or(name).to_vec()
            }
        }
    }

    fn metadata(&self, entry: &DirectoryRecord) -> Result<Metadata> {
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
            about.more.push(("record date", calendar::utc(recorded)));
        }
        if rock.name.is_some() {
            about.more.push(("ISO 9660 name", printable(&entry.name)));
        }
        for (name, index) in [("creation time", 0), ("access time", 2), ("change time", 3)] {
            // they are usually the same; one of four is enough
            if let Some(time) = rock.times[index].filter(|time| Some(*time) != about.mtime) {
                about.more.push((name, calendar::utc(time)));
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

    /// Offsets and bytes of a file's extents, which consecutive records name.
    pub(super) fn extents(&self, first: &DirectoryRecord) -> Result<Vec<(u64, u64)>> {
        let mut extents = vec![first.extent];
        let (mut more, mut at) = (first.continues, first.offset + first.len);
        while more {
            if extents.len() == EXTENTS {
                return Err(Error::new(LAYER, at, "a file in too many extents"));
            }
            let next = match self.records().read(at)? {
                Some(next) => next,
                None => self.entry(at.next_multiple_of(SECTOR))?,
            };
            extents.push(next.extent);
            (more, at) = (next.continues, next.offset + next.len);
        }
        Ok(extents)
    }

    /// Calls `each` with the index and the entry of every record of a folder. The first two are the
    /// folder itself and its parent.
    pub(super) fn each_record(
        &self,
        folder: u64,
        each: &mut dyn FnMut(u64, DirectoryRecord) -> Result<()>,
    ) -> Result<()> {
        let (start, len) = self.folder(folder)?;
        let end = start.saturating_add(len);
        let size = self.source.size()?;
        if end > size {
            let why = format!("a folder that ends {} bytes behind the image", end - size);
            return Err(Error::new(LAYER, start, why));
        }
        let (mut at, mut index) = (start, 0_u64);
        while at < end {
            let Some(entry) = self.records().read(at)? else {
                at = (at + 1).next_multiple_of(SECTOR);
                continue;
            };
            self.budget.entries(LAYER, at, 1)?;
            at += entry.len;
            each(index, entry)?;
            index += 1;
        }
        Ok(())
    }
}

impl Iso {
    /// Names for the offsets at which partitions begin and end.
    fn anchors(&self) -> Anchors {
        let mut anchors = Anchors::new(self.source.size().unwrap_or(0));
        for (index, (_, start, len)) in self.images().into_iter().enumerate() {
            let image = index + 1;
            anchors.add(start, format!("boot image {image}"));
            for (unit, name) in [(1, "the end"), (SECTOR, "the last sector")] {
                let end = (start + len).next_multiple_of(unit);
                anchors.add(end, format!("{name} of boot image {image}"));
            }
        }
        if let Ok(space) = self.volumes.primary.space() {
            anchors.add(space, "the end of the volume".to_owned());
        }
        anchors
    }
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
        let each = |show: &dyn Fn(&CatalogueEntry) -> String| {
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
            fields.extend(disk.fields(&self.anchors()));
        }
        fields
    }

    fn root(&self) -> Result<Node> {
        let entry = self.root_entry()?;
        let metadata = self.metadata(&entry)?;
        if metadata.kind != Kind::Folder {
            return Err(Error::new(LAYER, entry.offset, "the root is no folder"));
        }
        Ok(Node::new(metadata, entry.offset))
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let mut names = Listing::new(LAYER, &self.budget)?;
        // the records that continue a file are part of it
        let mut continues = false;
        self.each_record(folder.handle, &mut |index, entry| {
            // the folder itself and its parent
            let own = if self.every_record { matches!(entry.name[..], [0 | 1]) } else { index < 2 };
            if own {
                return Ok(());
            }
            let part = std::mem::replace(&mut continues, entry.continues);
            if (part || entry.rock.moved_here) && !self.every_record {
                return Ok(());
            }
            let name = self.name(&entry);
            if !is_name(&name) {
                let why = "a name that leads out of its folder";
                return Err(Error::new(LAYER, entry.offset, why));
            }
            let mut metadata = self.metadata(&entry)?;
            let rest = leftover::of_record(&self.records(), &entry, &entry, false)?;
            metadata.more.extend(rest_text(&rest).map(|text| ("rest of the record", text)));
            let node = Node::new(metadata, entry.offset);
            names.push(entry.offset, name, node)
        })?;
        Ok(names.finish())
    }

    fn place(&self, file: &Node) -> Option<u64> {
        self.entry(file.handle).ok().map(|entry| entry.extent.0)
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let entry = self.entry(file.handle)?;
        let extents = self.extents(&entry)?;
        let extents = extents.into_iter().map(|(start, len)| (Some(start), len));
        let source = self.source.clone();
        Ok(Content::Plain(Arc::new(Extents::new(source, LAYER, self.budget.clone(), extents))))
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
