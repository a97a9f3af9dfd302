//! FAT12, FAT16 and FAT32 (Microsoft, FAT: General Overview of On-Disk Format, 1.03).

mod allocation;
mod boot_sector;
mod directory_entry;
mod gaps;
mod untold;
mod volume;

pub(crate) use boot_sector::is_fat;

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::{Record, printable};
use crate::source::{Bytes, Extents, Shared, Source};
use crate::tree::{Content, Kind, Listing, Metadata, Named, Node, Part, Tree, is_name};
use boot_sector::{BootSector, LAYER};
use directory_entry::{DIRECTORY, DirectoryEntry, LongName, VOLUME_ID, is_long_name};
use std::sync::Arc;
use volume::{ROOT, Volume};
use xtask_core::calendar;

/// An open FAT file system.
pub struct Fat {
    volume: Volume,
}

/// Bytes of the FAT at the start of `source`; `None`: there is none.
pub(crate) fn size(source: &dyn Source) -> Option<u64> {
    BootSector::read(source).ok().map(|shape| shape.total)
}

impl Fat {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Fat> {
        let shape = BootSector::read(&*source)?;
        Ok(Fat { volume: Volume { source, shape, budget } })
    }

    /// The volume label in the root directory, and its time.
    fn root_label(&self) -> Result<(String, String)> {
        let mut label = Default::default();
        self.volume.each_entry(ROOT, &mut |offset, raw| {
            let found = raw[0] != 0xe5 && !is_long_name(raw[11]) && raw[11] & VOLUME_ID != 0;
            if found {
                let entry = DirectoryEntry::read(&Record::new(LAYER, offset, raw))?;
                let time = |time: Option<i64>| time.map_or("none".to_owned(), calendar::utc);
                let times = [entry.modified, entry.created, entry.accessed].map(time).join(", ");
                let times = format!("{times}, {} hundredths", entry.hundredths);
                label = (printable(raw[..11].trim_ascii_end()), times);
            }
            Ok(found)
        })?;
        Ok(label)
    }
}

impl Tree for Fat {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        let (label, times) = self.root_label().unwrap_or_else(|error| (error.why, String::new()));
        let mut fields = self.volume.shape.fields();
        fields.push(Field::new(FieldKind::FatLabel, "volume label in the root", label));
        fields.push(Field::new(FieldKind::FileSystemTime, "times of the volume label", times));
        fields
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(ROOT))
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let mut names = Listing::new(LAYER, &self.volume.budget)?;
        let mut long = LongName::default();
        self.volume.each_entry(folder.handle, &mut |offset, raw| {
            if raw[0] == 0xe5 {
                long = LongName::default();
                return Ok(false);
            }
            let r = Record::new(LAYER, offset, raw);
            self.volume.budget.entries(LAYER, offset, 1)?;
            if is_long_name(raw[11]) {
                long.add(&r)?;
                return Ok(false);
            }
            let entry = DirectoryEntry::read(&r)?;
            let long_name = long.take(&raw[..11]);
            // the label of the volume, and a folder's entries for itself and its parent
            if entry.attributes & VOLUME_ID != 0 || entry.name == b"." || entry.name == b".." {
                return Ok(false);
            }
            let name = long_name.unwrap_or_else(|| entry.name.clone());
            if !is_name(&name) {
                return Err(r.error(0, "a name that leads out of its folder"));
            }
            names.push(offset, name, Node::new(metadata(&entry), offset))?;
            Ok(false)
        })?;
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let entry = self.volume.entry(file.handle)?;
        let mut left = u64::from(entry.size);
        if left == 0 {
            return Ok(Content::Plain(Arc::new(Bytes(Vec::new()))));
        }
        let mut extents = Vec::new();
        for (start, len) in self.volume.extents(entry.cluster, left)? {
            let len = len.min(left);
            extents.push((Some(start), len));
            left -= len;
        }
        if left > 0 {
            return Err(Error::new(LAYER, file.handle, format!("a file {left} bytes short")));
        }
        let (source, budget) = (self.volume.source.clone(), self.volume.budget.clone());
        Ok(Content::Plain(Arc::new(Extents::new(source, LAYER, budget, extents))))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        gaps::parts(self, &self.volume)
    }
}

fn metadata(entry: &DirectoryEntry) -> Metadata {
    let folder = entry.attributes & DIRECTORY != 0;
    let mut about = Metadata::new(if folder { Kind::Folder } else { Kind::File });
    about.mtime = entry.modified;
    about.size = if folder { 0 } else { entry.size.into() };
    if let Some(time) = entry.created {
        let hundredths = match entry.hundredths {
            0 => String::new(),
            n => format!(" and {n} hundredths"),
        };
        about.more.push(("creation time", calendar::utc(time) + &hundredths));
    }
    if let Some(time) = entry.accessed {
        about.more.push(("access time", calendar::utc(time)));
    }
    about.more.push(("attributes", format!("{:02x}", entry.attributes)));
    about.more.push(("short name", printable(&entry.name)));
    about
}
