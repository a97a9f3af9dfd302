//! An image as a tree of layers, which can be packed with other bytes at any place.

use crate::formats::{self, Compressor, TIME};
use crate::tools;
use std::path::Path;

/// How a layer is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file that holds nothing but its own bytes.
    Leaf,
    /// A file in a format that is named, but not read.
    Unread,
    /// One content, compressed.
    Packed(Compressor),
    /// Its children one after the other, as archives follow each other in an initramfs.
    Row,
    Cpio,
    Tar,
    Ar,
    Zip,
    Fat,
    Fat16,
    /// By mkfs.fat and mcopy.
    Fat32,
    /// By GNU tar, in a format that it names.
    TarOf(&'static str),
    /// Partitions, all but the first in an extended one.
    Extended,
    /// One partition, behind a master boot record.
    Disk,
    /// Partitions in a GPT.
    Gpt,
    /// Sections of a PE file.
    Pe,
    Ext4,
    /// Options of mksquashfs; the time it was made, in seconds after [`TIME`].
    Squashfs(&'static [&'static str], u32),
    Iso,
}

/// One layer or file. What is in a compressed file or in a row has no name.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    pub(crate) fn leaf(name: &'static str, bytes: impl Into<Vec<u8>>) -> Node {
        Node { name, kind: Kind::Leaf, bytes: bytes.into(), children: Vec::new() }
    }

    /// A file in a format that is not read.
    pub(crate) fn unread(name: &'static str, bytes: impl Into<Vec<u8>>) -> Node {
        Node { kind: Kind::Unread, ..Node::leaf(name, bytes) }
    }

    /// A layer; `dir` is a folder for files of the tools.
    pub(crate) fn layer(dir: &Path, name: &'static str, kind: Kind, children: Vec<Node>) -> Node {
        let mut node = Node { name, kind, bytes: Vec::new(), children };
        node.bytes = node.pack(dir, None);
        node
    }

    /// Indices from the root to every node, the root's own first.
    pub(crate) fn paths(&self) -> Vec<Vec<usize>> {
        let mut paths = vec![Vec::new()];
        for (i, child) in self.children.iter().enumerate() {
            paths.extend(child.paths().into_iter().map(|path| [vec![i], path].concat()));
        }
        paths
    }

    pub(crate) fn at(&self, path: &[usize]) -> &Node {
        path.iter().fold(self, |node, i| &node.children[*i])
    }

    /// Names from the root to a node.
    pub(crate) fn names(&self, path: &[usize]) -> Vec<&'static str> {
        let names = (1..=path.len()).map(|n| self.at(&path[..n]).name);
        names.filter(|name| !name.is_empty()).collect()
    }

    /// The bytes of the whole where the node at `path` has others.
    pub(crate) fn with(&self, dir: &Path, path: &[usize], bytes: Vec<u8>) -> Vec<u8> {
        self.with_all(dir, &[(path, bytes)])
    }

    /// The bytes of the whole where several nodes, none of which holds another, have others.
    pub(crate) fn with_all(&self, dir: &Path, others: &[(&[usize], Vec<u8>)]) -> Vec<u8> {
        self.replaced(dir, others).bytes
    }

    fn replaced(&self, dir: &Path, others: &[(&[usize], Vec<u8>)]) -> Node {
        let mut node = self.clone();
        for (path, bytes) in others {
            match path.split_first() {
                None => node.bytes.clone_from(bytes),
                Some((i, rest)) => {
                    let inner = node.children[*i].replaced(dir, &[(rest, bytes.clone())]);
                    node.bytes = node.pack(dir, Some((*i, inner.bytes.clone())));
                    node.children[*i] = inner;
                }
            }
        }
        node
    }

    /// Its bytes, with others for one of its children.
    fn pack(&self, dir: &Path, other: Option<(usize, Vec<u8>)>) -> Vec<u8> {
        if let (Kind::Iso, Some((i, new))) = (self.kind, &other)
            && let Some(bytes) = tools::replaced(&self.bytes, &self.children[*i].bytes, new)
        {
            return bytes;
        }
        let members: Vec<(&str, &[u8])> = self
            .children
            .iter()
            .enumerate()
            .map(|(i, child)| match &other {
                Some((n, bytes)) if *n == i => (child.name, &bytes[..]),
                _ => (child.name, &child.bytes[..]),
            })
            .collect();
        match self.kind {
            Kind::Leaf | Kind::Unread => self.bytes.clone(),
            Kind::Packed(compressor) => compressor.pack(members[0].1),
            Kind::Row => members.iter().flat_map(|(_, bytes)| *bytes).copied().collect(),
            Kind::Cpio => formats::cpio(&members),
            Kind::Tar => formats::tar(&members),
            Kind::Ar => formats::ar(&members),
            Kind::Zip => formats::zip(&members),
            Kind::Fat => formats::fat(&members),
            Kind::Fat16 => formats::fat16(&members),
            Kind::Fat32 => tools::fat32(&dir.join("fat32"), &members),
            Kind::TarOf(format) => tools::tar(&dir.join("tar"), format, &members),
            Kind::Extended => formats::extended(&contents(&members)),
            Kind::Disk => formats::disk(members[0].1),
            Kind::Gpt => formats::gpt(&contents(&members)),
            Kind::Pe => formats::pe(&members),
            Kind::Ext4 => tools::ext4(&dir.join("ext4"), &members),
            Kind::Squashfs(options, later) => {
                tools::squashfs(&dir.join("squashfs"), options, TIME + later, &members)
            }
            Kind::Iso => tools::iso(&dir.join("iso"), &members),
        }
    }
}

fn contents<'t>(members: &[(&str, &'t [u8])]) -> Vec<&'t [u8]> {
    members.iter().map(|(_, bytes)| *bytes).collect()
}
