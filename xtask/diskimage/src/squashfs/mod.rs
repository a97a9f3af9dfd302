//! squashfs 4.0 with all its compressors (Linux, fs/squashfs/squashfs_fs.h).
//!
//! This reader is our own because no crate gives access to the stored blocks, which makes it
//! possible to compare two images without unpacking what is equal.

mod gaps;
mod inode;
mod metadata;
mod packed;
mod reached;
mod superblock;
mod tree;
mod xattr;

pub use packed::{PackedBlock, PackedFile, SharedBlock, Stored};
pub(crate) use superblock::MAGIC;

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::source::Shared;
use crate::tree::{Metadata as About, Node, is_name};
use crate::unpack::Codec;
use inode::{Inode, InodeData};
use metadata::MetadataReader;
use reached::{Position, position};
use std::sync::{Arc, Mutex, PoisonError};
use superblock::{LAYER, Superblock};
use xattr::Xattrs;

/// An open squashfs.
pub struct Squashfs {
    source: Shared,
    superblock: Superblock,
    inodes: MetadataReader,
    folders: MetadataReader,
    tables: MetadataReader,
    owners: Vec<u32>,
    xattrs: Option<Xattrs>,
    blocks: Arc<packed::Blocks>,
    /// The index of a fragment that was found last, and the fragment: files in one folder share one.
    fragment: Mutex<Option<(u32, Stored)>>,
    budget: Arc<Budget>,
}

impl Squashfs {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Squashfs> {
        let superblock = Superblock::read(&*source)?;
        let metadata = || {
            MetadataReader::new(
                source.clone(),
                superblock.codec,
                superblock.bytes_used,
                budget.clone(),
            )
        };
        let tables = metadata();
        let owners = owners(&source, &superblock, &tables)?;
        let xattrs = Xattrs::read(&source, &superblock, &budget)?;
        let blocks = packed::Blocks::new(
            source.clone(),
            superblock.codec,
            superblock.block_size,
            budget.clone(),
        );
        Ok(Squashfs {
            inodes: metadata(),
            folders: metadata(),
            tables,
            owners,
            xattrs,
            blocks: Arc::new(blocks),
            fragment: Mutex::default(),
            budget,
            source,
            superblock,
        })
    }

    pub fn codec(&self) -> Codec {
        self.superblock.codec
    }

    /// The inode that a reference names, and a cursor behind it.
    fn inode(&self, reference: u64) -> Result<(Inode, metadata::Cursor<'_>)> {
        let block = self.superblock.inode_table.saturating_add(reference >> 16);
        if reference >> 48 != 0 || block >= self.superblock.directory_table {
            return Err(Error::new(LAYER, block, "an inode outside of the inode table"));
        }
        let mut cursor = self.inodes.cursor(block, (reference & 0xffff) as usize);
        Ok((Inode::read(&mut cursor, self.superblock.block_size)?, cursor))
    }

    fn node(&self, reference: u64) -> Result<Node> {
        let (inode, _) = self.inode(reference)?;
        let owner = |index: u16| {
            self.owners.get(usize::from(index)).copied().ok_or_else(|| {
                let why = format!("owner {index} of {}", self.owners.len());
                Error::new(LAYER, self.superblock.inode_table, why)
            })
        };
        let mut about = About::new(inode.kind);
        about.mode = Some(u32::from(inode.mode) & 0o7777);
        about.uid = Some(owner(inode.uid)?);
        about.gid = Some(owner(inode.gid)?);
        about.mtime = Some(i64::from(inode.mtime));
        about.links = Some(inode.links);
        // the place of the inode proves the identity; the number in it is only claimed
        about.inode = Some(reference);
        if inode.holes != 0 {
            about.more.push(("bytes of holes", inode.holes.to_string()));
        }
        let unused = inode.what.unused();
        if unused != [0; 3] {
            about.more.push(("unused numbers", format!("{unused:?}")));
        }
        if inode.xattrs != inode::NONE {
            let xattrs = self.xattrs.as_ref().ok_or_else(|| {
                Error::new(LAYER, self.superblock.inode_table, "an inode with xattrs, no table")
            })?;
            about.xattrs = xattrs.list(inode.xattrs)?;
        }
        match inode.what {
            InodeData::File(file) => about.size = file.size,
            InodeData::Symlink(target) => {
                about.size = target.len() as u64;
                about.target = Some(target);
            }
            // as Linux encodes it: include/linux/kdev_t.h, new_decode_dev
            InodeData::Device(n) => {
                about.device = Some(((n >> 8) & 0xfff, (n & 0xff) | ((n >> 12) & 0xfff00)));
            }
            InodeData::Folder { .. } | InodeData::Nothing => {}
        }
        Ok(Node::new(about, reference))
    }

    /// The stored block of a fragment.
    fn fragment(&self, index: u32) -> Result<Stored> {
        let mut last = self.fragment.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((found, fragment)) = *last
            && found == index
        {
            return Ok(fragment);
        }
        let table = self.superblock.fragment_table;
        if index >= self.superblock.fragments || table == superblock::NONE {
            let why = format!("fragment {index} of {}", self.superblock.fragments);
            return Err(Error::new(LAYER, table, why));
        }
        // entries of 16 bytes, 512 in a block
        let mut cursor = self.indexed(table, u64::from(index / 512), index % 512 * 16)?;
        let (start, size) = (cursor.u64()?, cursor.u32()?);
        let fragment = packed::stored(start, size, self.superblock.block_size)?
            .ok_or_else(|| Error::new(LAYER, table, format!("fragment {index} is empty")))?;
        *last = Some((index, fragment));
        Ok(fragment)
    }

    /// Calls `each` with every name of a folder, and the header that it stands behind; returns the begin and
    /// the end of the listing.
    fn names(
        &self,
        folder: &Inode,
        each: &mut dyn FnMut(&Header, Name) -> Result<()>,
    ) -> Result<[Position; 2]> {
        let InodeData::Folder { start, offset, len, .. } = folder.what else {
            return Err(Error::new(LAYER, self.superblock.inode_table, "no folder"));
        };
        let at = self.superblock.directory_table.saturating_add(u64::from(start));
        let mut cursor = self.folders.cursor(at, usize::from(offset));
        let first = position(&cursor);
        // `.` and `..` count three bytes and are not stored
        let wanted = u64::from(len).saturating_sub(3);
        let mut done = 0;
        while done < wanted {
            let header =
                Header { at: done, block: cursor.offset - self.superblock.directory_table };
            let count = u64::from(cursor.u32()?) + 1;
            let block = u64::from(cursor.u32()?);
            let base = cursor.u32()?;
            if count > 256 {
                return Err(cursor.error(format!("{count} names behind one header")));
            }
            self.budget.entries(LAYER, cursor.offset, count)?;
            done += 12;
            for _ in 0..count {
                let within = u64::from(cursor.u16()?);
                // the number counts from that of the header, and may be below it
                let number = base.wrapping_add_signed(i32::from(cursor.u16()?.cast_signed()));
                let code = cursor.u16()?;
                let len = usize::from(cursor.u16()?) + 1;
                let bytes = cursor.bytes(len, 256)?;
                if !is_name(&bytes) {
                    return Err(cursor.error("a name that leads out of its folder"));
                }
                done += 8 + len as u64;
                each(&header, Name { bytes, reference: block << 16 | within, number, code })?;
            }
        }
        if done != wanted {
            return Err(cursor.error(format!("a listing of {wanted} bytes, and names of {done}")));
        }
        Ok([first, position(&cursor)])
    }

    /// A cursor in the block that entry `block` of a table of pointers names.
    fn indexed(&self, table: u64, block: u64, within: u32) -> Result<metadata::Cursor<'_>> {
        indexed(&self.source, &self.tables, table, block, within as usize)
    }
}

/// A name in a folder.
struct Name {
    bytes: Vec<u8>,
    /// The place of the inode.
    reference: u64,
    /// Number and type of the inode, as the name claims.
    number: u32,
    code: u16,
}

/// The names behind one header in a listing.
struct Header {
    /// Bytes of the listing before it.
    at: u64,
    /// Offset of its metadata block in the table of folders.
    block: u64,
}

fn indexed<'a>(
    source: &Shared,
    tables: &'a MetadataReader,
    table: u64,
    block: u64,
    within: usize,
) -> Result<metadata::Cursor<'a>> {
    let pointer = table.saturating_add(block * 8);
    let bytes = source.exactly(LAYER, pointer, 8)?;
    Ok(tables.cursor(Record::new(LAYER, pointer, &bytes).le64(0)?, within))
}

/// The numbers of users and groups; inodes name them by their index.
fn owners(source: &Shared, superblock: &Superblock, tables: &MetadataReader) -> Result<Vec<u32>> {
    let count = u32::from(superblock.ids);
    let mut owners = Vec::new();
    for index in 0..count {
        // of four bytes, 2048 in a block
        let block = u64::from(index / 2048);
        let within = index as usize % 2048 * 4;
        owners.push(indexed(source, tables, superblock.id_table, block, within)?.u32()?);
    }
    Ok(owners)
}
