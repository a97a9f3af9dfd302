//! Judges an answer without the code that gave it: every changed byte has to be named where it is,
//! as unexplained, as not read, or with a cause that a few rules (proofs.rs) prove as well. Compressed
//! bytes are unpacked, so that what is judged is what changed in the content.

use crate::answer::{Answer, Place, plain};
use crate::formats::Compressor;
use crate::mutation::{Mutation, differing};
use crate::node::{Kind, Node};
use crate::{proofs, tools};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

/// Causes that say that other compressed bytes have one content.
const REPACKED: [&str; 2] = ["recompressed", "squashfs-repacked"];

/// A mutated image, and the answer for it.
pub(crate) struct Case<'t> {
    /// For files of tools.
    pub(crate) dir: &'t Path,
    /// A, with which both answers compare.
    pub(crate) first: &'t Node,
    /// The image before the mutation.
    pub(crate) image: &'t Node,
    /// The answer for it.
    pub(crate) before: &'t Answer,
    /// The answer for the mutated image.
    pub(crate) answer: &'t Answer,
}

impl Case<'_> {
    pub(crate) fn judge(&self, mutation: &Mutation) -> Result<(), String> {
        if self.answer.identical {
            return Err("said to be identical".to_owned());
        }
        let kind = self.image.at(&mutation.path).kind;
        if matches!(kind, Kind::Leaf | Kind::Unread) && !self.answer.contents_differ {
            return Err("contents are said to be identical".to_owned());
        }
        self.bytes(mutation)
    }

    /// Judges every changed byte.
    fn bytes(&self, mutation: &Mutation) -> Result<(), String> {
        let mut unpacked = BTreeSet::new();
        for offset in &mutation.offsets {
            let (path, inner) = owner(self.image, &mutation.path, *offset);
            let owned = self.image.at(&path);
            let after = part(owned, inner, *offset, mutation);
            if unpacked.contains(&path) {
                continue;
            }
            match self.unpacked(owned, inner, after) {
                Some(contents) => {
                    self.header(&path, owned, after)?;
                    if !is_header_alone(owned, after) {
                        self.contents(&path, &contents, settings(owned, after))?;
                    }
                    unpacked.insert(path);
                }
                None => self.byte(mutation, &path, inner, after)?,
            }
        }
        Ok(())
    }

    /// The contents of a layer of whose compressed bytes the one at `offset` changed, as a library or a tool
    /// of this test gives them; `None` if nothing is compressed there, or if it cannot.
    fn unpacked(&self, layer: &Node, offset: usize, after: &[u8]) -> Option<Vec<Vec<u8>>> {
        match layer.kind {
            Kind::Packed(compressor) => Some(vec![compressor.unpack(after)?]),
            Kind::Squashfs(..) if (SUPERBLOCK..data_end(&layer.bytes)).contains(&offset) => {
                let names: Vec<&str> = layer.children.iter().map(|child| child.name).collect();
                tools::unpacked(self.dir, after, &names)
            }
            _ => None,
        }
    }

    /// Judges the contents of a layer whose compressed bytes changed; `settings`: the cause of other settings
    /// of the compressor, if they changed.
    fn contents(
        &self,
        path: &[usize],
        contents: &[Vec<u8>],
        settings: Option<&str>,
    ) -> Result<(), String> {
        let mut same = true;
        for (i, content) in contents.iter().enumerate() {
            let path = [path, &[i]].concat();
            let before = &self.image.at(&path).bytes;
            if content != before {
                same = false;
                let offsets = differing(before, content);
                self.bytes(&Mutation { path, bytes: content.clone(), offsets })?;
            }
        }
        // where the contents of A and B differ, and each difference is told, so is that of the bytes
        let first = &self.first.at(path).children;
        let differ =
            first.iter().zip(&self.image.at(path).children).any(|(a, b)| a.bytes != b.bytes);
        let names = self.names(path);
        let told = |id: &str| REPACKED.contains(&id) || Some(id) == settings;
        if same && !differ && !self.causes(&names).any(told) {
            return self.named_as_bytes(path, &names);
        }
        Ok(())
    }

    /// Other compressed bytes of one content, which no cause names: they have to be unexplained.
    fn named_as_bytes(&self, path: &[usize], names: &Place) -> Result<(), String> {
        match self.is_open(path) {
            true => Ok(()),
            false => Err(format!("{names:?}: other compressed bytes are not mentioned")),
        }
    }

    /// Judges the header of a gzip, which says something that the content does not.
    fn header(&self, path: &[usize], before: &Node, after: &[u8]) -> Result<(), String> {
        let header = GZIP_TIME_AND_SETTINGS;
        if before.kind != Kind::Packed(Compressor::Gzip)
            || before.bytes[header.clone()] == after[header]
        {
            return Ok(());
        }
        let names = self.names(path);
        let named = |id: &str| ["gzip-time", "compression-header"].contains(&id);
        if self.causes(&names).any(named) {
            return Ok(());
        }
        self.named_as_bytes(path, &names)
    }

    /// Judges a byte of the node at `path`.
    fn byte(
        &self,
        mutation: &Mutation,
        path: &[usize],
        inner: usize,
        after: &[u8],
    ) -> Result<(), String> {
        let owned = self.image.at(path);
        let names = self.names(path);
        if owned.kind == Kind::Unread {
            // or the layer around it cannot be opened, and is unexplained itself
            let around = |place: &Place| names.starts_with(place) && self.is_whole(place);
            if self.answer.not_read.contains(&names)
                || self.newly_open().any(|(place, _)| around(place))
            {
                return Ok(());
            }
            return Err(format!("{names:?}, byte {inner}: not said to be not read"));
        }
        if self.is_open(path) {
            return Ok(());
        }
        let proves = |id: &str| match owned.kind {
            Kind::Leaf if id == "environment-string" => {
                // one word for another, in several files
                let places = self.answer.causes.iter().filter(|(other, _)| other == id).count();
                places > 1 && proofs::is_exchanged(&self.answer.details, owned, after, inner)
            }
            Kind::Leaf => proofs::token(id, owned, after, inner),
            kind => proofs::is_field(id, kind, &owned.bytes, inner),
        };
        let causes: Vec<&str> = self.causes(&names).collect();
        if causes.iter().any(|id| proves(id)) {
            return Ok(());
        }
        let said = match causes.len() {
            0 => "not mentioned".to_owned(),
            _ => format!("only {causes:?} there, which does not give B"),
        };
        let at = self.image.names(&mutation.path);
        Err(format!("{names:?}, byte {inner} (of a change in {at:?}): {said}"))
    }

    fn names(&self, path: &[usize]) -> Place {
        names(self.image, path)
    }

    /// Ids of the causes in the node with these names.
    fn causes(&self, names: &Place) -> impl Iterator<Item = &str> {
        let here = |(_, place): &&(String, Place)| within(place, names);
        self.answer.causes.iter().filter(here).map(|(id, _)| id.as_str())
    }

    /// Items that are open with the mutation, and were not before.
    fn newly_open(&self) -> impl Iterator<Item = &(Place, String)> {
        self.answer.open.difference(&self.before.open)
    }

    /// Returns true if something that is open only with the mutation names the node at `path`, or the
    /// whole of a layer around it.
    fn is_open(&self, path: &[usize]) -> bool {
        let names = self.names(path);
        self.newly_open().any(|(place, _)| {
            within(place, &names) || names.starts_with(place) && self.is_whole(place)
        })
    }

    /// Returns true if the layer at a place is open as a whole: not read, compared as bytes, or there on one side only.
    fn is_whole(&self, place: &Place) -> bool {
        let whole = |(at, what): &(Place, String)| at == place && is_of_whole(what);
        self.answer.not_read.contains(place) || self.newly_open().any(whole)
    }
}

/// Returns true if an open item is about all bytes of a file: they were compared, or the other side has no such file.
pub(crate) fn is_of_whole(what: &str) -> bool {
    ["content", "only in"].iter().any(|way| what.starts_with(way))
}

/// Bytes of a gzip's header with its time, its level and its system.
const GZIP_TIME_AND_SETTINGS: Range<usize> = 4..10;

/// Returns true if the time and the settings of a gzip changed, and nothing else of it.
fn is_header_alone(layer: &Node, after: &[u8]) -> bool {
    let Range { start, end } = GZIP_TIME_AND_SETTINGS;
    layer.kind == Kind::Packed(Compressor::Gzip)
        && layer.bytes.get(..start) == after.get(..start)
        && layer.bytes.get(end..) == after.get(end..)
}

/// The cause that names the settings in the header of a layer, if they changed. gzip's say nothing of how the
/// rest is packed.
fn settings(layer: &Node, after: &[u8]) -> Option<&'static str> {
    let (header, id) = match layer.kind {
        Kind::Packed(Compressor::Gzip) => return None,
        Kind::Packed(_) => (0..16, "compression-header"),
        _ => (SUPERBLOCK..SUPERBLOCK + 10, "compressor"),
    };
    (layer.bytes.get(header.clone()) != after.get(header)).then_some(id)
}

/// The place of a node as diagnose names it.
pub(crate) fn names(image: &Node, path: &[usize]) -> Place {
    image.names(path).into_iter().map(|name| plain(name).to_owned()).collect()
}

/// Bytes of the superblock of a squashfs, which unsquashfs does not show.
const SUPERBLOCK: usize = 96;

/// Offset at which the blocks of files end and the tables begin.
fn data_end(squashfs: &[u8]) -> usize {
    u64::from_le_bytes(squashfs[64..72].try_into().unwrap()) as usize
}

/// The bytes of `owned` in the mutated node, of which the one at `inner` is the one at `offset` there.
fn part<'t>(owned: &Node, inner: usize, offset: usize, mutation: &'t Mutation) -> &'t [u8] {
    let start = offset - inner;
    let size = mutation.bytes.len();
    // appended bytes belong to the mutated node itself
    let appended = start == 0 && inner >= owned.bytes.len();
    let end = if appended { size } else { size.min(start + owned.bytes.len()) };
    &mutation.bytes[start..end]
}

/// The innermost node that holds a byte of the node at `path`, and the offset in it: files lie in
/// archives and file systems as they are.
pub(crate) fn owner(image: &Node, path: &[usize], offset: usize) -> (Vec<usize>, usize) {
    let node = image.at(path);
    if !matches!(
        node.kind,
        Kind::Row
            | Kind::Cpio
            | Kind::Tar
            | Kind::Ar
            | Kind::TarOf(_)
            | Kind::Fat
            | Kind::Fat16
            | Kind::Fat32
            | Kind::Extended
            | Kind::Disk
            | Kind::Gpt
            | Kind::Pe
            | Kind::Ext4
            | Kind::Squashfs(..)
            | Kind::Iso
    ) {
        return (path.to_vec(), offset);
    }
    // one child may be a part of another one
    let mut children: Vec<(usize, &Node)> = node.children.iter().enumerate().collect();
    children.sort_by_key(|(_, child)| std::cmp::Reverse(child.bytes.len()));
    for (i, child) in children {
        let size = child.bytes.len();
        let mut near = offset.saturating_sub(size.saturating_sub(1))..=offset;
        // a change may stand behind the end
        let starts =
            |at: &usize| node.bytes.get(*at..).is_some_and(|rest| rest.starts_with(&child.bytes));
        if let Some(at) = near.find(|at| size > 0 && starts(at)) {
            return owner(image, &[path, &[i]].concat(), offset - at);
        }
    }
    (path.to_vec(), offset)
}

/// Returns true if `place` is the one with these names, or in it.
pub(crate) fn within(place: &Place, names: &Place) -> bool {
    let mut place = place.iter();
    names.iter().all(|name| place.any(|part| part == name))
}
