//! A folder of this machine, as a tree like any other.

use crate::error::{Error, Result};
use crate::field::Field;
use crate::source::{Bytes, File};
use crate::tree::{Content, Kind, Metadata, Named, Node, Tree};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const LAYER: &str = "tree";

/// A folder, and the paths that were named in it.
pub struct Folder {
    /// By handle.
    paths: Mutex<Vec<PathBuf>>,
}

impl Folder {
    pub fn open(path: &Path) -> Folder {
        Folder { paths: Mutex::new(vec![path.to_path_buf()]) }
    }

    fn path(&self, node: &Node) -> Result<PathBuf> {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let path = usize::try_from(node.handle).ok().and_then(|handle| paths.get(handle));
        path.cloned().ok_or_else(|| Error::new(LAYER, node.handle, "no such entry"))
    }

    fn node(&self, path: PathBuf) -> Result<Node> {
        let failed = |error: std::io::Error| {
            Error::new(LAYER, 0, format!("cannot read {}: {error}", path.display()))
        };
        let about = std::fs::symlink_metadata(&path).map_err(failed)?;
        let kind = Kind::of_mode(about.mode())
            .ok_or_else(|| Error::new(LAYER, 0, format!("{} is nothing known", path.display())))?;
        let mut metadata = Metadata::new(kind);
        metadata.mode = Some(about.mode() & 0o7777);
        metadata.uid = Some(about.uid());
        metadata.gid = Some(about.gid());
        metadata.mtime = Some(about.mtime());
        metadata.inode = Some(about.ino());
        // of a folder it depends on the file system
        if kind != Kind::Folder {
            metadata.links = u32::try_from(about.nlink()).ok();
        }
        match kind {
            Kind::File => metadata.size = about.len(),
            Kind::Symlink => {
                let target = std::fs::read_link(&path).map_err(failed)?;
                metadata.target = Some(target.into_os_string().into_vec());
            }
            // as glibc takes it apart: sys/sysmacros.h
            Kind::Char | Kind::Block => {
                let n = about.rdev();
                let major = (n >> 8 & 0xfff) | (n >> 32 & 0xffff_f000);
                metadata.device =
                    Some((major as u32, ((n & 0xff) | (n >> 12 & 0xffff_ff00)) as u32));
            }
            Kind::Folder | Kind::Fifo | Kind::Socket => {}
        }
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.push(path);
        Ok(Node { metadata, handle: paths.len() as u64 - 1 })
    }
}

impl Tree for Folder {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        Vec::new()
    }

    fn root(&self) -> Result<Node> {
        Ok(Node { metadata: Metadata::new(Kind::Folder), handle: 0 })
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let path = self.path(folder)?;
        let failed = |error: std::io::Error| {
            Error::new(LAYER, 0, format!("cannot read {}: {error}", path.display()))
        };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            names.push((entry.file_name().as_bytes().to_vec(), self.node(entry.path())?));
        }
        // the order of a folder on disk says nothing of who made it
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(names)
    }

    fn open(&self, file: &Node) -> Result<Content> {
        if file.metadata.size == 0 {
            return Ok(Content::Plain(Arc::new(Bytes(Vec::new()))));
        }
        let path = self.path(file)?;
        let opened = File::open(&path)
            .map_err(|e| Error::new(LAYER, 0, format!("cannot read {}: {e}", path.display())))?;
        Ok(Content::Plain(Arc::new(opened)))
    }
}
