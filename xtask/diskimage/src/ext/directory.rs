//! The entries of a folder.

use super::inode::Inode;
use super::superblock::LAYER;
use crate::error::Result;
use crate::record::Record;

/// An entry that stands in one block of a folder.
pub(super) struct Dirent<'b> {
    /// Offset in the block.
    pub(super) at: usize,
    /// Number of the inode; 0: the entry is not used.
    pub(super) number: u32,
    pub(super) name: &'b [u8],
}

/// The entries of a block of a folder. The nodes of a hash tree look like unused ones.
pub(super) fn entries<'b>(folder: &Inode, block: &'b [u8]) -> Result<Vec<Dirent<'b>>> {
    let r = Record::new(LAYER, folder.offset, block);
    let mut entries = Vec::new();
    let mut at = 0;
    while at + 8 <= block.len() {
        let (number, len) = (r.le32(at)?, usize::from(r.le16(at + 4)?));
        if len < 8 {
            return Err(folder.error(&format!("a directory entry of {len} bytes")));
        }
        let name = r.slice(at + 8, usize::from(r.u8(at + 6)?))?;
        entries.push(Dirent { at, number, name });
        at += len;
    }
    Ok(entries)
}
