//! squashfs 4.0 with all its compressors (Linux, fs/squashfs/squashfs_fs.h).
//!
//! This reader is our own because no crate gives access to the stored blocks, which makes it
//! possible to compare two images without unpacking what is equal.

mod inode;
mod metadata;
mod packed;
mod superblock;
mod xattr;

pub use packed::{PackedBlock, PackedFile, Stored};
pub(crate) use superblock::MAGIC;

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::Record;
use crate::source::{Shared, Slice, used};
use crate::tree::{Content, Kind, Listing, Metadata as About, Named, Node, Part, Tree, is_name};
use crate::unpack::Codec;
use inode::{Inode, What};
use metadata::Metadata;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use superblock::{LAYER, Superblock};
use xattr::Xattrs;

/// Entries of the export table in a block of metadata.
const EXPORTED: u32 = 1024;

/// An open squashfs.
pub struct Squashfs {
    source: Shared,
    superblock: Superblock,
    inodes: Metadata,
    folders: Metadata,
    tables: Metadata,
    owners: Vec<u32>,
    xattrs: Option<Xattrs>,
    blocks: Arc<packed::Blocks>,
    budget: Arc<Budget>,
}

impl Squashfs {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Squashfs> {
        let superblock = Superblock::read(&*source)?;
        let metadata = || {
            Metadata::new(source.clone(), superblock.codec, superblock.bytes_used, budget.clone())
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
        if inode.xattrs != inode::NONE {
            let xattrs = self.xattrs.as_ref().ok_or_else(|| {
                Error::new(LAYER, self.superblock.inode_table, "an inode with xattrs, no table")
            })?;
            about.xattrs = xattrs.list(inode.xattrs)?;
        }
        match inode.what {
            What::File(file) => about.size = file.size,
            What::Symlink(target) => {
                about.size = target.len() as u64;
                about.target = Some(target);
            }
            // as Linux encodes it: include/linux/kdev_t.h, new_decode_dev
            What::Device(n) => {
                about.device = Some(((n >> 8) & 0xfff, (n & 0xff) | ((n >> 12) & 0xfff00)));
            }
            What::Folder { .. } | What::Nothing => {}
        }
        Ok(Node::new(about, reference))
    }

    /// The stored block of a fragment.
    fn fragment(&self, index: u32) -> Result<Stored> {
        let table = self.superblock.fragment_table;
        if index >= self.superblock.fragments || table == superblock::NONE {
            let why = format!("fragment {index} of {}", self.superblock.fragments);
            return Err(Error::new(LAYER, table, why));
        }
        // entries of 16 bytes, 512 in a block
        let mut cursor = self.indexed(table, u64::from(index / 512), index % 512 * 16)?;
        let (start, size) = (cursor.u64()?, cursor.u32()?);
        packed::stored(start, size, self.superblock.block_size)?
            .ok_or_else(|| Error::new(LAYER, table, format!("fragment {index} is empty")))
    }

    /// Holds the export table, by which NFS finds an inode of a number, against the inodes: where they
    /// lie differs between images, and that each has its number does not.
    fn exported(&self) -> Result<String> {
        let mut misfits = Vec::new();
        let mut left = self.superblock.inodes;
        for block in 0..u64::from(left.div_ceil(EXPORTED)) {
            let mut cursor = self.indexed(self.superblock.export_table, block, 0)?;
            for _ in 0..left.min(EXPORTED) {
                let (number, reference) = (self.superblock.inodes - left + 1, cursor.u64()?);
                if !self.inode(reference).is_ok_and(|(inode, _)| inode.number == number) {
                    misfits.extend([u64::from(number), reference].map(u64::to_le_bytes).concat());
                }
                left -= 1;
            }
        }
        if misfits.is_empty() {
            return Ok("every inode under its number".into());
        }
        let hash = crate::record::hex(&Sha256::digest(&misfits)[..4]);
        Ok(format!("{} that name another inode ({hash})", misfits.len() / 16))
    }

    /// A cursor in the block that entry `block` of a table of pointers names.
    fn indexed(&self, table: u64, block: u64, within: u32) -> Result<metadata::Cursor<'_>> {
        indexed(&self.source, &self.tables, table, block, within as usize)
    }
}

fn indexed<'a>(
    source: &Shared,
    tables: &'a Metadata,
    table: u64,
    block: u64,
    within: usize,
) -> Result<metadata::Cursor<'a>> {
    let pointer = table.saturating_add(block * 8);
    let bytes = source.exactly(LAYER, pointer, 8)?;
    Ok(tables.cursor(Record::new(LAYER, pointer, &bytes).le64(0)?, within))
}

/// The numbers of users and groups; inodes name them by their index.
fn owners(source: &Shared, superblock: &Superblock, tables: &Metadata) -> Result<Vec<u32>> {
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

impl Tree for Squashfs {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = self.superblock.fields(&*self.source);
        if self.superblock.export_table != superblock::NONE {
            let misfits = self.exported().unwrap_or_else(|error| error.to_string());
            fields.push(Field::new(FieldKind::Header, "entries of the export table", misfits));
        }
        fields
    }

    fn root(&self) -> Result<Node> {
        let root = self.node(self.superblock.root)?;
        if root.metadata.kind != Kind::Folder {
            return Err(Error::new(LAYER, 32, "the root is no folder"));
        }
        Ok(root)
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let (inode, _) = self.inode(folder.handle)?;
        let What::Folder { start, offset, len } = inode.what else {
            return Err(Error::new(LAYER, folder.handle, "no folder"));
        };
        let at = self.superblock.directory_table.saturating_add(u64::from(start));
        let mut cursor = self.folders.cursor(at, usize::from(offset));
        // `.` and `..` count three bytes and are not stored
        let mut left = u64::from(len).saturating_sub(3);
        let mut names = Listing::new(LAYER, &self.budget)?;
        while left > 0 {
            let count = u64::from(cursor.u32()?) + 1;
            let block = u64::from(cursor.u32()?);
            let _number = cursor.u32()?;
            if count > 256 {
                return Err(cursor.error(format!("{count} names behind one header")));
            }
            self.budget.entries(LAYER, cursor.offset, count)?;
            left = left.saturating_sub(12);
            for _ in 0..count {
                let within = u64::from(cursor.u16()?);
                let (_number, _kind) = (cursor.u16()?, cursor.u16()?);
                let len = usize::from(cursor.u16()?) + 1;
                let name = cursor.bytes(len, 256)?;
                if !is_name(&name) {
                    return Err(cursor.error("a name that leads out of its folder"));
                }
                left = left.saturating_sub(8 + len as u64);
                names.push(cursor.offset, name, self.node(block << 16 | within)?)?;
            }
        }
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let (inode, mut cursor) = self.inode(file.handle)?;
        let What::File(blocks) = inode.what else {
            return Err(Error::new(LAYER, file.handle, "no file"));
        };
        let fragment = match blocks.fragment {
            inode::NONE => None,
            index => Some(self.fragment(index)?),
        };
        let held = self.budget.hold(LAYER, file.handle, blocks.count * 8)?;
        let sizes = blocks.sizes(&mut cursor)?;
        let file = PackedFile::new(self.blocks.clone(), &blocks, sizes, fragment, held)?;
        Ok(Content::Packed(file))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let start = self.superblock.bytes_used;
        let len = self.source.size()?.saturating_sub(start);
        // zeros up to a whole page are padding
        let Some(used) = used(&*self.source, start, len)? else { return Ok(Vec::new()) };
        let behind = Arc::new(Slice::new(self.source.clone(), start, used));
        Ok(vec![Part::bytes("[behind the file system]", Some(start), behind)])
    }
}
