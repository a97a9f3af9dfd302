//! A folder of this machine, with the interface of every other tree.

use crate::error::{Error, Result};
use crate::field::Field;
use crate::source::LocalFile;
use crate::tree::{Content, Kind, Metadata, Named, Node, Tree};
use std::collections::HashMap;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xtask_core::escape::Shown as _;

const LAYER: &str = "tree";

/// An open folder.
pub struct Folder {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Paths by handle.
    paths: Vec<PathBuf>,
    /// A number for each file, by its device and inode: the inode alone is another file's on another
    /// device.
    files: HashMap<(u64, u64), u64>,
}

impl Folder {
    pub fn open(path: &Path) -> Folder {
        let known = Known { paths: vec![path.to_path_buf()], ..Known::default() };
        Folder { known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, node: &Node) -> Result<PathBuf> {
        let known = self.known();
        let path = usize::try_from(node.handle).ok().and_then(|handle| known.paths.get(handle));
        path.cloned().ok_or_else(|| Error::new(LAYER, node.handle, "no such entry"))
    }

    fn node(&self, path: PathBuf) -> Result<Node> {
        let failed = |error: std::io::Error| {
            Error::new(LAYER, 0, format!("cannot read {}: {error}", path.shown()))
        };
        let about = std::fs::symlink_metadata(&path).map_err(failed)?;
        let kind = Kind::of_mode(about.mode()).ok_or_else(|| {
            Error::new(LAYER, 0, format!("{}: a file of no known kind", path.shown()))
        })?;
        let mut metadata = Metadata::new(kind);
        metadata.mode = Some(about.mode() & 0o7777);
        metadata.uid = Some(about.uid());
        metadata.gid = Some(about.gid());
        metadata.mtime = Some(about.mtime());
        metadata.xattrs = xattrs(&path).map_err(failed)?;
        // the link count of a folder depends on the file system
        if kind != Kind::Folder {
            metadata.links = u32::try_from(about.nlink()).ok();
        }
        match kind {
            Kind::File => metadata.size = about.len(),
            Kind::Symlink => {
                let target = std::fs::read_link(&path).map_err(failed)?;
                metadata.target = Some(target.into_os_string().into_vec());
            }
            // glibc, sys/sysmacros.h
            Kind::Char | Kind::Block => {
                let n = about.rdev();
                let major = (n >> 8 & 0xfff) | (n >> 32 & 0xffff_f000);
                metadata.device =
                    Some((major as u32, ((n & 0xff) | (n >> 12 & 0xffff_ff00)) as u32));
            }
            Kind::Folder | Kind::Fifo | Kind::Socket => {}
        }
        let mut known = self.known();
        let next = known.files.len() as u64;
        metadata.inode = Some(*known.files.entry((about.dev(), about.ino())).or_insert(next));
        known.paths.push(path);
        Ok(Node::new(metadata, known.paths.len() as u64 - 1))
    }
}

/// Extended attributes, sorted; none where the file system has none.
fn xattrs(path: &Path) -> std::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let names = match xattr::list(path) {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(Vec::new()),
        names => names?,
    };
    let mut list = Vec::new();
    for name in names {
        // an attribute that went away meanwhile is none
        if let Some(value) = xattr::get(path, &name)? {
            list.push((name.into_vec(), value));
        }
    }
    list.sort();
    Ok(list)
}

impl Tree for Folder {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        Vec::new()
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(0))
    }

    fn list(&self, folder: &Node) -> Result<Vec<Named>> {
        let path = self.path(folder)?;
        let failed = |error: std::io::Error| {
            Error::new(LAYER, 0, format!("cannot read {}: {error}", path.shown()))
        };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            names.push((entry.file_name().as_bytes().to_vec(), self.node(entry.path())?));
        }
        // the order on this machine's disk has nothing to do with the build
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(names)
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let path = self.path(file)?;
        let opened = LocalFile::open_in_folder(&path)
            .map_err(|e| Error::new(LAYER, 0, format!("cannot read {}: {e}", path.shown())))?;
        Ok(Content::Plain(Arc::new(opened)))
    }
}
