//! What every container of files looks like to who reads it, whatever its format.

use crate::error::{Error, Result};
use crate::field::Field;
use crate::source::Shared;
use crate::squashfs;
use std::collections::HashSet;
use std::sync::Arc;

/// Folders deeper than this are taken for a loop. Linux itself stops at paths of 4096 bytes.
const DEEPEST: usize = 1024;

/// Bytes of names and metadata that one folder, or one archive, may have in memory.
pub(crate) const LISTING: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    File,
    Folder,
    Symlink,
    Char,
    Block,
    Fifo,
    Socket,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Folder => "dir",
            Kind::Symlink => "symlink",
            Kind::Char => "char",
            Kind::Block => "block",
            Kind::Fifo => "fifo",
            Kind::Socket => "socket",
        }
    }

    /// From the type bits of a Unix mode (inode(7)).
    pub(crate) fn of_mode(mode: u32) -> Option<Kind> {
        Some(match mode & 0o170_000 {
            0o100_000 => Kind::File,
            0o040_000 => Kind::Folder,
            0o120_000 => Kind::Symlink,
            0o020_000 => Kind::Char,
            0o060_000 => Kind::Block,
            0o010_000 => Kind::Fifo,
            0o140_000 => Kind::Socket,
            _ => return None,
        })
    }
}

/// What is known of an entry apart from its content; none: the format does not hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub kind: Kind,
    /// Permission bits.
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Seconds since 1970-01-01 UTC; of FAT, which knows no zone, as if it were UTC.
    pub mtime: Option<i64>,
    /// Bytes of a file.
    pub size: u64,
    /// Major and minor number.
    pub device: Option<(u32, u32)>,
    /// Number of hard links.
    pub links: Option<u32>,
    /// Where a symbolic link points.
    pub target: Option<Vec<u8>>,
    /// Extended attributes: name with its prefix, value; sorted.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Entries with the same number are the same file.
    pub inode: Option<u64>,
    /// What only this format has, e.g. the names of owner and group in a tar.
    pub more: Vec<(&'static str, String)>,
}

impl Metadata {
    pub(crate) fn new(kind: Kind) -> Metadata {
        Metadata {
            kind,
            mode: None,
            uid: None,
            gid: None,
            mtime: None,
            size: 0,
            device: None,
            links: None,
            target: None,
            xattrs: Vec::new(),
            inode: None,
            more: Vec::new(),
        }
    }
}

/// An entry of a folder or a member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub metadata: Metadata,
    /// Where its reader finds it again.
    pub(crate) handle: u64,
}

impl Node {
    /// A file of which nothing is known and that cannot be opened.
    pub fn unknown_file() -> Node {
        Node { metadata: Metadata::new(Kind::File), handle: u64::MAX }
    }
}

/// A name, which for a member of an archive is a whole path, and what it names.
pub type Named = (Vec<u8>, Node);

/// A container of files.
pub trait Tree: Send + Sync {
    /// Name of the format.
    fn layer(&self) -> &'static str;

    /// What its headers say.
    fn fields(&self) -> Vec<Field>;

    fn root(&self) -> Result<Node>;

    /// What is in a folder, in the order in which it is stored.
    fn list(&self, folder: &Node) -> Result<Vec<Named>>;

    /// Where in the container a file's bytes start, if they lie in it as they are.
    fn place(&self, _file: &Node) -> Option<u64> {
        None
    }

    /// The content of a file.
    fn open(&self, file: &Node) -> Result<Content>;

    /// SHA-256 of a file's content, where it had to be read anyway.
    fn digest(&self, _file: &Node) -> Option<[u8; 32]> {
        None
    }

    /// Whether it is an archive: the root lists all members by their whole paths.
    fn flat(&self) -> bool {
        false
    }

    /// Whether fields, files and parts are all there is; else the bytes count as well.
    fn whole(&self) -> bool {
        true
    }

    /// What is in the container beside the tree.
    fn parts(&self) -> Result<Vec<Part>> {
        Ok(Vec::new())
    }
}

/// Something in a container that no path of its tree names, e.g. the EFI image of an ISO.
pub struct Part {
    /// In brackets, so that no path can be taken for it: `[EFI boot image]`.
    pub name: String,
    /// Where in the container it starts, if it is one piece of it.
    pub place: Option<u64>,
    pub what: PartContent,
}

impl Part {
    pub(crate) fn bytes(name: impl Into<String>, place: Option<u64>, source: Shared) -> Part {
        Part { name: name.into(), place, what: PartContent::Bytes(source) }
    }
}

pub enum PartContent {
    /// Bytes, which may hold a layer in their turn.
    Bytes(Shared),
    /// A second tree over the same bytes.
    Tree(Arc<dyn Tree>),
}

/// The bytes of a file.
#[derive(Clone)]
pub enum Content {
    Plain(Shared),
    /// In compressed blocks, which can be compared without unpacking them.
    Packed(squashfs::PackedFile),
}

impl Content {
    /// The bytes, unpacked when they are read.
    pub fn source(&self) -> Shared {
        match self {
            Content::Plain(source) => source.clone(),
            Content::Packed(file) => Arc::new(file.clone()),
        }
    }
}

/// The folders on the way and those seen before: a walk that would not end is an error.
#[derive(Default)]
pub struct Walked {
    seen: HashSet<u64>,
}

impl Walked {
    /// Before a folder at that depth is listed.
    pub fn enter(&mut self, tree: &dyn Tree, folder: &Node, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            let why = format!("folders nested more than {DEEPEST} deep");
            return Err(Error::new(tree.layer(), folder.handle, why));
        }
        if !self.seen.insert(folder.handle) {
            let why = "a folder is in two folders, or in itself";
            return Err(Error::new(tree.layer(), folder.handle, why));
        }
        Ok(())
    }
}

/// Whether a name can stand in a folder: it leads nowhere else.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}

/// Calls `each` with every path of a tree, folders before what is in them.
pub fn walk(tree: &dyn Tree, each: &mut dyn FnMut(&[u8], &Node) -> Result<()>) -> Result<()> {
    let mut walked = Walked::default();
    let root = tree.root()?;
    walked.enter(tree, &root, 0)?;
    // names of a folder that are still to be visited, last first
    let mut open = vec![(Vec::new(), pending(tree, &root)?)];
    while let Some((path, names)) = open.last_mut() {
        let Some((name, node)) = names.pop() else {
            open.pop();
            continue;
        };
        let path = join(path, &name);
        each(&path, &node)?;
        if node.metadata.kind == Kind::Folder && !tree.flat() {
            walked.enter(tree, &node, open.len())?;
            let names = pending(tree, &node)?;
            open.push((path, names));
        }
    }
    Ok(())
}

fn pending(tree: &dyn Tree, folder: &Node) -> Result<Vec<Named>> {
    let mut names = tree.list(folder)?;
    names.reverse();
    Ok(names)
}

/// `folder/name`, or the name alone in the root.
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(folder.len() + 1 + name.len());
    if !folder.is_empty() {
        path.extend_from_slice(folder);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// What a path names; none: nothing.
pub fn find(tree: &dyn Tree, path: &[u8]) -> Result<Option<Node>> {
    let mut node = tree.root()?;
    if tree.flat() {
        return Ok(tree.list(&node)?.into_iter().find(|(name, _)| name == path).map(|(_, n)| n));
    }
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        if node.metadata.kind != Kind::Folder {
            return Ok(None);
        }
        match tree.list(&node)?.into_iter().find(|(other, _)| other == name) {
            Some((_, found)) => node = found,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// The first `most` bytes of the file that a path names; none: no such file. Links aren't followed.
pub fn read(tree: &dyn Tree, path: &[u8], most: usize) -> Result<Option<Vec<u8>>> {
    match find(tree, path)? {
        Some(node) if node.metadata.kind == Kind::File => {
            // what a stream unpacks to says no size
            let size = node.metadata.size;
            let len = if size == 0 { most } else { size.min(most as u64) as usize };
            Ok(Some(tree.open(&node)?.source().up_to(0, len)?))
        }
        _ => Ok(None),
    }
}
