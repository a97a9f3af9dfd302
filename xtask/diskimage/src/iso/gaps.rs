//! The parts of an ISO that no file and no table describes: boot code, leftovers of directory
//! records, and the bytes between and behind the files.

use super::Iso;
use super::leftover::Leftover;
use super::path_table::{PathTableFolder, sector};
use super::sector::{LAYER, SECTOR, SYSTEM_AREA};
use crate::disk;
use crate::error::{Error, Result};
use crate::ranges::DescribedRanges;
use crate::source::Bytes;
use crate::tree::{Node, Part, Walked};
use std::collections::HashSet;
use std::sync::Arc;

/// All such parts. `images`: name, offset and bytes of boot images and partitions.
pub(super) fn parts(iso: &Iso, images: &[(String, u64, u64)]) -> Result<Vec<Part>> {
    let end = iso.source.size()?;
    let backup = iso.disk.as_ref().and_then(|disk| disk.gpt.as_ref()).map_or(0, |gpt| gpt.backup);
    let said = iso.volumes.primary.space()?.max(backup.saturating_add(disk::SECTOR));
    if said > end {
        return Err(Error::new(LAYER, end, format!("{said} bytes said, {end} there")));
    }
    let mut known = DescribedRanges::new(LAYER);
    for (_, start, len) in images {
        known.add(*start, *len)?;
    }
    if let Some(disk) = &iso.disk {
        disk.regions().into_iter().try_for_each(|(start, len)| known.add(start, len))?;
    }
    let mut parts = Vec::new();
    let area = SYSTEM_AREA.min(end);
    parts.extend(known.part("[boot code]", &iso.source, &iso.budget, 0, area)?);

    if let Some(disk) = &iso.disk {
        let rest = disk.leftover(&*iso.source)?;
        if !rest.is_empty() {
            let name = "[rest of the partition tables]";
            parts.push(Part::bytes(name, None, Arc::new(Bytes(rest))));
        }
    }
    let mut leftover = Leftover::new(&iso.budget)?;
    known.add(0, SYSTEM_AREA)?;
    let (first, last) = iso.volumes.sectors;
    for sector in first..last {
        known.add(sector * SECTOR, SECTOR)?;
        let told = iso.volumes.told(sector * SECTOR);
        let bytes = iso.source.exactly(LAYER, sector * SECTOR, SECTOR as usize)?;
        leftover.volume_descriptor(&bytes, told)?;
    }
    if let Some(sector) = iso.volumes.catalogue {
        known.add(sector * SECTOR, SECTOR)?;
        leftover.catalogue(&iso.source.exactly(LAYER, sector * SECTOR, SECTOR as usize)?)?;
    }
    for tree in [Some(iso), iso.joliet().as_ref()].into_iter().flatten() {
        let folders = walk(tree, &mut known, &mut leftover)?;
        for table in tree.volume().path_tables()? {
            match table.described(&*iso.source, &folders)? {
                Some(len) => known.add(table.start, len)?,
                None => leftover.path_table(table.start)?,
            }
        }
    }
    let rest = leftover.finish();
    if !rest.is_empty() {
        parts.push(Part::bytes("[rest of the directory records]", None, Arc::new(Bytes(rest))));
    }
    parts.extend(known.part("[between the files]", &iso.source, &iso.budget, 0, end)?);
    Ok(parts)
}

/// Adds the ranges of folders and files, and the leftovers of their records; returns the folders as
/// path tables name them.
fn walk(
    iso: &Iso,
    known: &mut DescribedRanges,
    leftover: &mut Leftover,
) -> Result<HashSet<PathTableFolder>> {
    let mut walked = Walked::default();
    let mut folders = HashSet::new();
    let root = iso.root_entry()?;
    folders.insert((vec![0], sector(root.extent.0), sector(root.extent.0)));
    // a folder's handle, its depth, its own entry and its parent's
    let root = Arc::new(root);
    let mut open = vec![(iso.volume().root(), 0, root.clone(), root)];
    while let Some((handle, depth, own, parent)) = open.pop() {
        walked.enter(iso, &Node::bare_root(handle), depth)?;
        let (start, len) = iso.folder(handle)?;
        known.add(start, len)?;
        let mut end = start;
        iso.each_record(handle, &mut |index, entry| {
            leftover.padding(&*iso.source, end, entry.offset)?;
            end = entry.offset + entry.len;
            for (start, len) in &entry.rock.areas {
                known.add(*start, *len)?;
            }
            if index < 2 {
                // xorriso writes the folder itself for its parent in Joliet
                let itself = index == 0 || (iso.joliet && entry.extent == own.extent);
                let told = if itself { &own } else { &parent };
                return leftover.dots(index, &iso.records(), &entry, told);
            }
            let inner = entry.folder || entry.rock.moved_to.is_some();
            if entry.folder {
                folders.insert((entry.name.clone(), sector(entry.extent.0), sector(start)));
            }
            if !inner {
                return known.add(entry.extent.0, entry.extent.1);
            }
            if !entry.rock.moved_here {
                open.push((entry.offset, depth + 1, Arc::new(entry), own.clone()));
            }
            Ok(())
        })?;
        leftover.padding(&*iso.source, end, start + len)?;
    }
    Ok(folders)
}
