//! An ext4 as a tree of files.

use super::directory::{self, Dirent};
use super::superblock::LAYER;
use super::{Ext, ROOT, reserved, structures};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::source::Shared;
use crate::tree::{Content, Kind, LISTING, Listing, Named, Node, Part, Tree, is_name};

impl Tree for Ext {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = self.volume.superblock.fields();
        fields.extend(reserved::times(&self.volume));
        fields
    }

    fn parts(&self) -> Result<Vec<Part>> {
        structures::parts(self)
    }

    fn root(&self) -> Result<Node> {
        let root = self.node(ROOT)?;
        if root.metadata.kind != Kind::Folder {
            return Err(Error::new(LAYER, 0, "the root is no folder"));
        }
        Ok(root)
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let inode = self.inode(folder)?;
        if inode.kind()? != Kind::Folder || inode.size > LISTING as u64 {
            return Err(inode.error("no folder, or one that is too large"));
        }
        let content: Shared = self.content(&inode)?;
        let bytes = content.exactly(LAYER, 0, inode.size as usize)?;
        let mut names = Listing::new(LAYER, &self.volume.budget)?;
        for block in bytes.chunks(self.volume.superblock.block as usize) {
            for Dirent { number, name, .. } in directory::entries(&inode, block)? {
                if number == 0 || name == b"." || name == b".." {
                    continue;
                }
                self.volume.budget.entries(LAYER, inode.offset, 1)?;
                if !is_name(name) {
                    return Err(inode.error("a name that leads out of its folder"));
                }
                names.push(inode.offset, name.to_vec(), self.node(number)?)?;
            }
        }
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        Ok(Content::Plain(self.content(&self.inode(file)?)?))
    }
}
