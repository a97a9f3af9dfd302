//! Inodes that no folder names: the journal, the blocks for growing, the orphan file.

use super::ROOT;
use super::inode::Inode;
use super::volume::Volume;
use crate::error::Result;
use crate::field::{Field, FieldKind};
use crate::source::{Bytes, Shared, Slice};
use crate::tree::Part;
use std::sync::Arc;
use xtask_core::calendar;

/// Number of the inode of the blocks that the descriptors can grow into.
pub(super) const RESIZE: u32 = 7;

/// Number of the journal's inode.
const JOURNAL: u32 = 8;

/// Magic of the journal's blocks (Linux, include/linux/jbd2.h), and bytes of its superblock.
const JOURNAL_MAGIC: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];
const JOURNAL_SUPERBLOCK: u64 = 1024;

/// Numbers of those inodes.
pub(super) fn numbers(volume: &Volume) -> Vec<u32> {
    let superblock = &volume.superblock;
    let mut numbers: Vec<u32> = (1..superblock.first_inode()).filter(|n| *n != ROOT).collect();
    numbers.extend(superblock.orphan_file());
    numbers
}

/// Their times as one field: the times at which mke2fs made them.
pub(super) fn times(volume: &Volume) -> Option<Field> {
    let mut times: Vec<String> = Vec::new();
    for number in numbers(volume) {
        for (_, time) in Inode::read(volume, number).ok()?.times() {
            let text = calendar::utc(time);
            if time != 0 && !times.contains(&text) {
                times.push(text);
            }
        }
    }
    let value = times.join(", ");
    Some(Field::new(FieldKind::FileSystemTime, "times of inodes in no folder", value))
}

/// The part that an inode's content is.
pub(super) fn part(volume: &Volume, number: u32, content: Shared) -> Result<Vec<Part>> {
    if number != JOURNAL {
        let name = format!("[inode {number}]");
        return Ok(vec![Part::bytes(name, None, content)]);
    }
    let mut head = content.up_to(0, JOURNAL_SUPERBLOCK as usize)?;
    let len = content.size()?.saturating_sub(JOURNAL_SUPERBLOCK);
    if head.starts_with(&JOURNAL_MAGIC) && head.get(48..64) == Some(volume.superblock.uuid()) {
        head[48..64].fill(0);
    }
    let rest: Shared = Arc::new(Slice::new(content, JOURNAL_SUPERBLOCK, len));
    Ok(vec![
        Part::bytes("[superblock of the journal]", None, Arc::new(Bytes(head))),
        Part::bytes("[journal]", None, rest),
    ])
}
