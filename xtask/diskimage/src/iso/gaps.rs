//! What an image holds in no file and no table: boot code, and whatever stands between the files.

use super::{Iso, LAYER, SECTOR, SYSTEM_AREA};
use crate::disk;
use crate::error::{Error, Result};
use crate::source::{Parts, used};
use crate::tree::{Kind, Node, Part, Tree, Walked};
use std::sync::Arc;

/// Pieces of an image that are kept in mind; a live image has some hundred files.
const PIECES: usize = 1 << 20;

/// The system area without its tables, and what lies between the files and is not zero.
pub(super) fn parts(iso: &Iso, images: &[(String, u64, u64)]) -> Result<Vec<Part>> {
    let end = iso.source.size()?;
    let backup = iso.disk.as_ref().and_then(|disk| disk.gpt.as_ref()).map_or(0, |gpt| gpt.backup);
    let said = iso.volumes.primary.space()?.max(backup.saturating_add(disk::SECTOR));
    if said > end {
        return Err(Error::new(LAYER, end, format!("{said} bytes said, {end} there")));
    }
    let mut known: Vec<(u64, u64)> = images.iter().map(|(_, start, len)| (*start, *len)).collect();
    if let Some(disk) = &iso.disk {
        known.extend(disk.regions());
    }
    let mut parts = Vec::new();
    let code = unknown(&mut known, 0, SYSTEM_AREA.min(end));
    parts.extend(part(iso, "[boot code]", code)?);

    let (first, last) = iso.volumes.sectors;
    known.push((0, SYSTEM_AREA));
    known.push((first * SECTOR, (last - first) * SECTOR));
    if let Some(sector) = iso.volumes.catalogue {
        known.push((sector * SECTOR, SECTOR));
    }
    for volume in std::iter::once(&iso.volumes.primary).chain(&iso.volumes.joliet) {
        known.extend(volume.path_tables()?);
    }
    tree(iso, &mut known)?;
    if let Some(joliet) = iso.joliet() {
        tree(&joliet, &mut known)?;
    }
    let between = unknown(&mut known, 0, end);
    parts.extend(part(iso, "[between the files]", between)?);
    Ok(parts)
}

/// Adds what the folders and files of a tree take.
fn tree(iso: &Iso, known: &mut Vec<(u64, u64)>) -> Result<()> {
    let mut walked = Walked::default();
    let root = iso.root()?;
    let mut open = vec![(root, 0)];
    while let Some((folder, depth)) = open.pop() {
        walked.enter(iso, &folder, depth)?;
        known.push(iso.folder(folder.handle)?);
        iso.records(folder.handle, &mut |entry| {
            known.extend(&entry.rock.areas);
            if known.len() > PIECES {
                return Err(Error::new(LAYER, entry.offset, "too many files"));
            }
            if entry.folder || entry.rock.moved_to.is_some() {
                let metadata = crate::tree::Metadata::new(Kind::Folder);
                if !entry.rock.moved_here {
                    open.push((Node { metadata, handle: entry.offset }, depth + 1));
                }
            } else {
                known.push(entry.extent);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// What is not known from `from` up to `to`.
fn unknown(known: &mut [(u64, u64)], from: u64, to: u64) -> Vec<(u64, u64)> {
    known.sort_unstable();
    let mut gaps = Vec::new();
    let mut at = from;
    for (start, len) in known.iter() {
        if *start >= to {
            break;
        }
        if *start > at {
            gaps.push((at, start - at));
        }
        at = at.max(start.saturating_add(*len));
    }
    if at < to {
        gaps.push((at, to - at));
    }
    gaps
}

/// The gaps that are not zero, one after the other, without their zeros at the end.
fn part(iso: &Iso, name: &str, gaps: Vec<(u64, u64)>) -> Result<Option<Part>> {
    let mut kept = Vec::new();
    for (start, len) in gaps {
        if let Some(used) = used(&*iso.source, start, len)? {
            kept.push((Some(start), used));
        }
    }
    if kept.is_empty() {
        return Ok(None);
    }
    Ok(Some(Part::bytes(name, None, Arc::new(Parts::new(iso.source.clone(), kept)))))
}
