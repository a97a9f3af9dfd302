//! The interface of every container of files, whatever its format.

use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::source::Shared;
use crate::squashfs;
use crate::unpack::Packing;
use std::collections::HashSet;
use std::sync::Arc;

/// Deepest folder that is listed, far above the end of a thread's stack. A caller that walks layers in
/// layers by recursion counts the folders of all of them; those of real images are 20 to 30 deep.
const DEEPEST: usize = 128;

/// Bytes of a folder's own records.
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

    /// Kind of the type bits of a Unix mode (inode(7)).
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

/// The facts about an entry apart from its content. `None`: the format does not hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub kind: Kind,
    /// Permission bits.
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Seconds since 1970-01-01 UTC. FAT knows no time zone; its times are taken for UTC.
    pub mtime: Option<i64>,
    /// Size of a file in bytes.
    pub size: u64,
    /// Major and minor number.
    pub device: Option<(u32, u32)>,
    /// Number of hard links.
    pub links: Option<u32>,
    /// Target of a symbolic link.
    pub target: Option<Vec<u8>>,
    /// Extended attributes: name with its prefix, value; sorted.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Proved identity: entries of one tree with the same number have the same metadata and bytes,
    /// because they name the same place. It is never a number that an image merely claims.
    pub inode: Option<u64>,
    /// Facts that only this format has, e.g. the names of owner and group in a tar.
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

    /// Bytes of memory beside the struct itself.
    pub(crate) fn heap(&self) -> usize {
        let xattrs: usize = self.xattrs.iter().map(|(name, v)| name.len() + v.len() + 64).sum();
        let more: usize = self.more.iter().map(|(_, value)| value.len() + 64).sum();
        xattrs + more + self.target.as_ref().map_or(0, Vec::len)
    }
}

/// An entry of a folder or a member of an archive.
#[derive(Clone, Debug)]
pub struct Node {
    pub metadata: Metadata,
    /// Number by which the reader finds the entry again.
    pub(crate) handle: u64,
    /// Memory of the listing that this node is from.
    _held: Option<Arc<Held>>,
}

impl Node {
    pub(crate) fn new(metadata: Metadata, handle: u64) -> Node {
        Node { metadata, handle, _held: None }
    }

    /// The root of a container that has no record of its own for it.
    pub(crate) fn bare_root(handle: u64) -> Node {
        Node::new(Metadata::new(Kind::Folder), handle)
    }

    /// A file without any known metadata, which cannot be opened.
    pub fn unknown_file() -> Node {
        Node::new(Metadata::new(Kind::File), u64::MAX)
    }
}

/// A name and the entry that it names. The name of an archive's member is a whole path.
pub type Named = (Vec<u8>, Node);

/// Collects the entries of a folder and pays for the memory that they take, until the last of them
/// is dropped.
pub(crate) struct Listing {
    layer: &'static str,
    held: Held,
    names: Vec<Named>,
}

impl Listing {
    pub(crate) fn new(layer: &'static str, budget: &Arc<Budget>) -> Result<Listing> {
        Ok(Listing { layer, held: budget.hold(layer, 0, 0)?, names: Vec::new() })
    }

    /// Adds an entry, which stands at `offset` of the layer.
    pub(crate) fn push(&mut self, offset: u64, name: Vec<u8>, node: Node) -> Result<()> {
        let bytes = name.capacity() + size_of::<Named>() + node.metadata.heap();
        self.held.grow(self.layer, offset, bytes as u64)?;
        self.names.push((name, node));
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<Named> {
        let held = Arc::new(self.held);
        let mut names = self.names;
        for (_, node) in &mut names {
            node._held = Some(held.clone());
        }
        names
    }
}

/// A container of files.
pub trait Tree: Send + Sync {
    /// Name of the format.
    fn layer(&self) -> &'static str;

    /// The fields of its headers.
    fn fields(&self) -> Vec<Field>;

    fn root(&self) -> Result<Node>;

    /// The entries of a folder, in the order in which they are stored.
    fn list(&self, folder: &Node) -> Result<Vec<Named>>;

    /// Offset in the container of a file's bytes, if they lie there as they are and in one piece.
    fn place(&self, _file: &Node) -> Option<u64> {
        None
    }

    /// The content of a file.
    fn open(&self, file: &Node) -> Result<Content>;

    /// SHA-256 of a file's content, if the reader had to read all of it to open the container.
    fn digest(&self, _file: &Node) -> Option<[u8; 32]> {
        None
    }

    /// `true` for an archive: the root lists all members by their whole paths.
    fn flat(&self) -> bool {
        false
    }

    /// `true` if fields, entries and parts account for every byte of the container. Otherwise its
    /// bytes must be compared as well.
    fn whole(&self) -> bool {
        true
    }

    /// The compressed streams that the container is, or is made of.
    fn packings(&self) -> Result<Vec<Packing>> {
        Ok(Vec::new())
    }

    /// The contents of the container that no path of the tree names: boot images, gaps, trailers.
    fn parts(&self) -> Result<Vec<Part>> {
        Ok(Vec::new())
    }
}

/// A piece of a container that no path of its tree names, e.g. the EFI image of an ISO.
pub struct Part {
    /// Name in brackets, so that no path can be taken for it: `[EFI boot image]`.
    pub name: String,
    /// Offset in the container, if it is one piece of it.
    pub place: Option<u64>,
    pub what: PartContent,
}

impl Part {
    pub(crate) fn bytes(name: impl Into<String>, place: Option<u64>, source: Shared) -> Part {
        Part { name: name.into(), place, what: PartContent::Bytes(source) }
    }
}

pub enum PartContent {
    /// Bytes, which may be a layer themselves.
    Bytes(Shared),
    /// A second tree over the same bytes.
    Tree(Arc<dyn Tree>),
    /// Blocks of a squashfs that hold the tails of several files: what none of them has.
    SharedBlocks(Vec<squashfs::SharedBlock>),
}

/// The bytes of a file.
#[derive(Clone)]
pub enum Content {
    Plain(Shared),
    /// Compressed blocks of a squashfs, which can be compared without unpacking them.
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

/// The folders that a walk has visited. A walk that would not end is an error.
#[derive(Default)]
pub struct Walked {
    seen: HashSet<u64>,
}

impl Walked {
    /// To be called before a folder at `depth` is listed; the root of the outermost layer has depth 0.
    pub fn enter(&mut self, tree: &dyn Tree, folder: &Node, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            let why = format!("folders more than {DEEPEST} deep: what is below was not read");
            return Err(Error::new(tree.layer(), folder.handle, why));
        }
        if !self.seen.insert(folder.handle) {
            let why = "a folder is in two folders, or in itself";
            return Err(Error::new(tree.layer(), folder.handle, why));
        }
        Ok(())
    }
}

/// `true` if a name can stand in a folder and leads nowhere else.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}

/// Calls `each` with every path of a tree; a folder comes before its entries.
pub fn walk(tree: &dyn Tree, each: &mut dyn FnMut(&[u8], &Node) -> Result<()>) -> Result<()> {
    let mut walked = Walked::default();
    let root = tree.root()?;
    walked.enter(tree, &root, 0)?;
    // the names of each open folder that are still to be visited, last first
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

/// The entry that a path names.
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

/// The first `most` bytes of the file that a path names; `None`: no such file. Symbolic links are not
/// followed.
pub fn read(tree: &dyn Tree, path: &[u8], most: usize) -> Result<Option<Vec<u8>>> {
    match find(tree, path)? {
        Some(node) if node.metadata.kind == Kind::File => {
            // the size of an unpacked stream is not known before it is unpacked
            let size = node.metadata.size;
            let len = if size == 0 { most } else { size.min(most as u64) as usize };
            Ok(Some(tree.open(&node)?.source().up_to(0, len)?))
        }
        _ => Ok(None),
    }
}
