//! Boot images and partitions: the pieces of an ISO that El Torito and the partition tables name.

use super::Iso;
use super::sector::{SECTOR, SYSTEM_AREA};
use crate::disk;
use crate::fat;
use crate::source::Slice;
use std::collections::HashSet;

impl Iso {
    /// Boot images and partitions: name, offset, bytes.
    pub(super) fn images(&self) -> Vec<(String, u64, u64)> {
        let mut images: Vec<(String, u64, u64)> = Vec::new();
        let end = self.source.size().unwrap_or(0);
        if let Some(gpt) = self.disk.as_ref().and_then(|disk| disk.gpt.as_ref()) {
            // xorriso's other partitions are the ISO itself and what fills the image up
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
        let mut known = HashSet::new();
        // the ISO itself is a partition, too, when its start is given
        images.retain(|(_, start, len)| {
            *start >= SYSTEM_AREA + SECTOR
                && *len > 0
                && start.checked_add(*len).is_some_and(|image_end| image_end <= end)
                && known.insert((*start, *len))
        });
        images
    }
}
