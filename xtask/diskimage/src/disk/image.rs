//! A disk image: partitions as files.

use super::extended::{self, is_extended};
use super::{Anchors, Disk, LAYER, SECTOR};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::ranges::DescribedRanges;
use crate::source::{Bytes, Extents, Shared, Source};
use crate::tree::{Content, Kind, Listing, Metadata, Named, Node, Part, Tree};
use std::sync::Arc;

/// An open disk image.
pub struct DiskImage {
    source: Shared,
    disk: Disk,
    /// Offset and bytes of each partition.
    partitions: Vec<(u64, u64)>,
    budget: Arc<Budget>,
}

/// `true` for a disk with partitions that lie in it.
pub(crate) fn is_disk(source: &dyn Source) -> Result<bool> {
    let size = source.size()?;
    Ok(match Disk::read(source) {
        Ok(Some(disk)) if disk.gpt.is_some() => true,
        Ok(Some(disk)) => {
            // a boot sector may end like a partition table
            let fits = |(start, len): &(u64, u64)| {
                *start >= SECTOR && *len > 0 && start.saturating_add(*len) <= size
            };
            let partitions = partitions(source, &disk).unwrap_or_default();
            !partitions.is_empty() && partitions.iter().all(fits)
        }
        // a GPT that cannot be read is told as such
        Ok(None) => false,
        Err(_) => source.up_to(SECTOR, 8)? == b"EFI PART",
    })
}

fn partitions(source: &dyn Source, disk: &Disk) -> Result<Vec<(u64, u64)>> {
    if let Some(gpt) = &disk.gpt {
        return Ok(gpt.partitions.iter().map(|p| (p.start, p.len)).collect());
    }
    let mut found = Vec::new();
    // 0xee stands for the whole disk, if there is a GPT
    for partition in disk.mbr.iter().filter(|p| p.kind != 0xee) {
        if is_extended(partition.kind) {
            let logical = extended::partitions(source, partition)?;
            found.extend(logical.iter().map(|p| (p.start, p.len)));
        } else {
            found.push((partition.start, partition.len));
        }
    }
    Ok(found)
}

impl DiskImage {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<DiskImage> {
        let disk =
            Disk::read(&*source)?.ok_or_else(|| Error::new(LAYER, 510, "no partition table"))?;
        let partitions = partitions(&*source, &disk)?;
        let size = source.size()?;
        for (start, len) in &partitions {
            if start.saturating_add(*len) > size {
                let why = format!("a partition of {len} bytes, the disk ends after {size}");
                return Err(Error::new(LAYER, *start, why));
            }
        }
        Ok(DiskImage { source, disk, partitions, budget })
    }

    /// The partition tables.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
}

impl Tree for DiskImage {
    fn layer(&self) -> &'static str {
        "disk"
    }

    fn fields(&self) -> Vec<Field> {
        let mut anchors = Anchors::new(self.source.size().unwrap_or(0));
        for (index, (start, len)) in self.partitions.iter().enumerate() {
            let name = format!("the end of partition {}", index + 1);
            anchors.add(start.saturating_add(*len), name);
        }
        self.disk.fields(&anchors)
    }

    fn flat(&self) -> bool {
        true
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(u64::MAX))
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        let mut names = Listing::new(LAYER, &self.budget)?;
        for (index, (start, len)) in self.partitions.iter().enumerate() {
            let mut about = Metadata::new(Kind::File);
            about.size = *len;
            let name = format!("partition-{}", index + 1);
            names.push(*start, name.into_bytes(), Node::new(about, index as u64))?;
        }
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let index = usize::try_from(file.handle).ok();
        let (start, len) = index
            .and_then(|index| self.partitions.get(index))
            .ok_or_else(|| Error::new(LAYER, file.handle, "no such partition"))?;
        let (source, budget) = (self.source.clone(), self.budget.clone());
        let extent = [(Some(*start), *len)];
        Ok(Content::Plain(Arc::new(Extents::new(source, LAYER, budget, extent))))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let mut known = DescribedRanges::new(LAYER);
        for (start, len) in self.disk.regions().iter().chain(&self.partitions) {
            known.add(*start, *len)?;
        }
        let mut parts = Vec::new();
        parts.extend(known.part("[boot code]", &self.source, &self.budget, 0, 440)?);
        known.add(0, 440)?;
        let end = self.source.size()?;
        let between = known.part("[between the partitions]", &self.source, &self.budget, 0, end)?;
        parts.extend(between);
        let rest = self.disk.leftover(&*self.source)?;
        if !rest.is_empty() {
            parts.push(Part::bytes("[rest of the partition tables]", None, Arc::new(Bytes(rest))));
        }
        Ok(parts)
    }
}
