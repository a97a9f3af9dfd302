//! A squashfs as a tree of files.

use super::inode::{self, InodeData};
use super::packed::PackedFile;
use super::superblock::LAYER;
use super::{Squashfs, gaps};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::source::{Slice, used};
use crate::tree::{Content, Kind, Listing, Named, Node, Part, Tree};
use std::sync::Arc;

impl Tree for Squashfs {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        self.superblock.fields(&*self.source)
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
        let mut names = Listing::new(LAYER, &self.budget)?;
        let at = self.superblock.directory_table;
        self.names(&inode, &mut |_, name| names.push(at, name.bytes, self.node(name.reference)?))?;
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let (inode, mut cursor) = self.inode(file.handle)?;
        let InodeData::File(blocks) = inode.what else {
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
        let mut parts = gaps::parts(self)?;
        // zeros up to a whole page are padding
        if let Some(used) = used(&*self.source, start, len)? {
            let behind = Arc::new(Slice::new(self.source.clone(), start, used));
            parts.push(Part::bytes("[behind the file system]", Some(start), behind));
        }
        Ok(parts)
    }
}
