//! ext2, ext3 and ext4 (Linux, Documentation/filesystems/ext4).
//!
//! This reader is our own: the crate ext4-view 1.0 gives no places of blocks.

mod blocks;
mod checksums;
mod directory;
mod inode;
mod reserved;
mod structures;
mod superblock;
mod tables;
mod tree;
mod used;
mod volume;
mod xattr;

pub(crate) use superblock::is_ext;

use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::source::{Extents, Shared, Source};
use crate::tree::{Kind, Node};
use inode::{Inode, MAP};
use std::sync::Arc;
use superblock::{LAYER, Superblock};
use volume::Volume;

/// Number of the root's inode.
const ROOT: u32 = 2;

/// Bytes of the target of a link.
const TARGET: u64 = 65_536;

/// An open ext2, ext3 or ext4 file system.
pub struct Ext {
    volume: Volume,
}

/// The content of a file, and the memory of the list of its pieces.
struct File {
    extents: Extents,
    _held: Held,
}

impl Source for File {
    fn size(&self) -> Result<u64> {
        self.extents.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.extents.read_at(offset, into)
    }

    fn place(&self, offset: u64, len: u64) -> Option<u64> {
        self.extents.place(offset, len)
    }
}

impl Ext {
    pub fn open(source: Shared, budget: Arc<Budget>) -> Result<Ext> {
        let superblock = Superblock::read(&*source)?;
        Ok(Ext { volume: Volume { source, superblock, budget } })
    }

    fn content(&self, inode: &Inode) -> Result<Arc<File>> {
        let map = blocks::map(&self.volume, inode)?;
        let (source, budget) = (self.volume.source.clone(), self.volume.budget.clone());
        let extents = Extents::new(source, LAYER, budget, map.pieces);
        Ok(Arc::new(File { extents, _held: map.held }))
    }

    fn node(&self, number: u32) -> Result<Node> {
        let inode = Inode::read(&self.volume, number)?;
        let mut about = inode.metadata()?;
        about.xattrs = xattr::list(&self.volume, &inode)?;
        if about.kind == Kind::Symlink {
            about.target = Some(if inode.size < MAP as u64 {
                inode.record().slice(40, inode.size as usize)?.to_vec()
            } else if inode.size <= TARGET {
                let content: Shared = self.content(&inode)?;
                content.exactly(LAYER, 0, inode.size as usize)?
            } else {
                return Err(inode.error("a link that is too long"));
            });
        }
        Ok(Node::new(about, number.into()))
    }

    fn inode(&self, node: &Node) -> Result<Inode> {
        let number = u32::try_from(node.handle);
        Inode::read(
            &self.volume,
            number.map_err(|_| Error::new(LAYER, node.handle, "no such inode"))?,
        )
    }
}
