//! Two trees of files, walked at once.

use super::content::differ;
use super::entries::{fields, metadata, one_sided, order};
use super::folder_links::{folder_links, links_of_folders};
use super::names::{ContentNames, NextName, Places, not_judged};
use super::pool::Pool;
use super::shares::Shares;
use super::spot::{Broken, Of as _, Spot};
use crate::difference::{Difference, DifferenceKind, MetadataField, Place, Side};
use anyhow::Result;
use diskimage::{Content, Kind, Metadata, Node, PartContent, Tree, Walked, printable};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A receiver of differences: the pool, or a list when one thread walks a layer by itself.
pub(super) trait Out {
    fn tell(&mut self, differences: Vec<Difference>) -> Result<()>;

    /// Has two files compared.
    fn files(&mut self, shares: &Arc<Shares>, spot: Spot, contents: [Content; 2]) -> Result<()>;

    /// Returns true if the layer should be walked here, so that its files are shared out.
    fn shares_out(&self) -> bool;

    /// Differences told up to now, by everything that was asked for.
    fn told(&mut self) -> Result<u64>;
}

impl Out for Vec<Difference> {
    fn tell(&mut self, differences: Vec<Difference>) -> Result<()> {
        self.extend(differences);
        Ok(())
    }

    fn files(&mut self, shares: &Arc<Shares>, spot: Spot, contents: [Content; 2]) -> Result<()> {
        self.extend(compare(shares, &spot, &contents)?);
        Ok(())
    }

    fn shares_out(&self) -> bool {
        false
    }

    fn told(&mut self) -> Result<u64> {
        Ok(self.len() as u64)
    }
}

impl Out for Pool<'_> {
    fn tell(&mut self, differences: Vec<Difference>) -> Result<()> {
        Pool::tell(self, differences)
    }

    fn files(&mut self, shares: &Arc<Shares>, spot: Spot, contents: [Content; 2]) -> Result<()> {
        let shares = shares.clone();
        // a stream would be unpacked to its end to know its size
        let size = |content: &Content| match content {
            Content::Packed(file) => file.len(),
            Content::Plain(_) => u64::MAX,
        };
        let bytes = contents.each_ref().map(size).into_iter().fold(0, u64::max);
        self.spawn(spot.clone(), bytes, move || compare(&shares, &spot, &contents))
    }

    fn shares_out(&self) -> bool {
        true
    }

    fn told(&mut self) -> Result<u64> {
        self.drain()?;
        Ok(self.told)
    }
}

/// All differences of two files' bytes.
fn compare(shares: &Arc<Shares>, spot: &Spot, contents: &[Content; 2]) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    TreeWalk::new(shares.clone(), &mut differences).content(spot, contents)?;
    Ok(differences)
}

/// Why a walk ends early.
pub(super) enum Stop {
    /// A layer cannot be read on.
    Broken(Broken),
    /// Nothing can go on: interrupted, or nobody takes the answers.
    Fatal(anyhow::Error),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Stop {
        Stop::Broken(broken)
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Stop {
        Stop::Fatal(error)
    }
}

pub(super) struct TreeWalk<'o> {
    pub(super) shares: Arc<Shares>,
    pub(super) out: &'o mut dyn Out,
}

/// State of the walk through a pair of trees.
#[derive(Default)]
struct TreePair {
    walked: [Walked; 2],
    /// Hard links: the first path of each inode with several.
    links: [HashMap<u64, Vec<u8>>; 2],
    /// Files with several names, by their inodes.
    inodes: HashMap<[u64; 2], ContentNames>,
}

impl<'o> TreeWalk<'o> {
    pub(super) fn new(shares: Arc<Shares>, out: &'o mut dyn Out) -> TreeWalk<'o> {
        TreeWalk { shares, out }
    }

    /// All differences of two trees of the same format.
    pub(super) fn trees(
        &mut self,
        place: &Place,
        trees: &[Arc<dyn Tree>; 2],
    ) -> Result<Result<(), Broken>> {
        match self.all_of(place, trees, &mut Places::default()) {
            Ok(()) => Ok(Ok(())),
            Err(Stop::Broken(broken)) => Ok(Err(broken)),
            Err(Stop::Fatal(error)) => Err(error),
        }
    }

    fn all_of(
        &mut self,
        place: &Place,
        trees: &[Arc<dyn Tree>; 2],
        places: &mut Places,
    ) -> Result<(), Stop> {
        let spot = Spot::new(place.clone(), trees[0].layer());
        let [a, b] = trees;
        self.out.tell(fields(&spot, &a.fields(), &b.fields()))?;
        let roots = [a.root().of(Side::A)?, b.root().of(Side::B)?];
        self.out.tell(metadata(&spot, &roots[0].metadata, &roots[1].metadata))?;
        let mut pair = TreePair::default();
        self.folder(&mut pair, place, trees, b"", &roots, places)?;
        self.parts(place, trees, places)
    }

    fn folder(
        &mut self,
        pair: &mut TreePair,
        place: &Place,
        trees: &[Arc<dyn Tree>; 2],
        path: &[u8],
        folders: &[Node; 2],
        places: &mut Places,
    ) -> Result<(), Stop> {
        let depth = depth(place, path);
        let mut lists = [Vec::new(), Vec::new()];
        for side in [Side::A, Side::B] {
            let (tree, folder) = (&*trees[side as usize], &folders[side as usize]);
            pair.walked[side as usize].enter(tree, folder, depth).of(side)?;
            lists[side as usize] = tree.list(folder).of(side)?;
        }
        self.shares.count(trees[0].layer(), [lists[0].len(), lists[1].len()]);
        self.out.tell(folder_links(&inner(place, path, trees), folders, &lists))?;
        self.out.tell(links_of_folders(&inner(place, b"", trees), trees, &lists))?;
        self.out.tell(order(&inner(place, path, trees), &lists))?;
        for list in &mut lists {
            list.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let [mut a, mut b] = lists.map(|list| list.into_iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (None, None) => return Ok(()),
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
            };
            let left = if next.is_le() { a.next() } else { None };
            let right = if next.is_ge() { b.next() } else { None };
            match (left, right) {
                (Some((name, a)), Some((_, b))) => {
                    let path = diskimage::join(path, &name);
                    self.entry(pair, place, trees, &path, [a, b], places)?;
                }
                (Some((name, node)), None) => {
                    let path = diskimage::join(path, &name);
                    self.only_in(pair, place, trees, &path, Side::A, &node)?;
                }
                (None, Some((name, node))) => {
                    let path = diskimage::join(path, &name);
                    self.only_in(pair, place, trees, &path, Side::B, &node)?;
                }
                (None, None) => {}
            }
        }
    }

    /// An entry that one side does not have, and, if it is a folder, what is in it.
    fn only_in(
        &mut self,
        pair: &mut TreePair,
        place: &Place,
        trees: &[Arc<dyn Tree>; 2],
        path: &[u8],
        side: Side,
        node: &Node,
    ) -> Result<(), Stop> {
        self.only(&inner(place, path, trees), side, node)?;
        let tree = &*trees[side as usize];
        if node.metadata.kind != Kind::Folder || tree.flat() {
            return Ok(());
        }
        let depth = depth(place, path);
        pair.walked[side as usize].enter(tree, node, depth).of(side)?;
        let mut list = tree.list(node).of(side)?;
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, node) in list {
            self.only_in(pair, place, trees, &diskimage::join(path, &name), side, &node)?;
        }
        Ok(())
    }

    fn only(&mut self, spot: &Spot, side: Side, node: &Node) -> Result<(), Stop> {
        let what = DifferenceKind::OnlyIn { side, entry: one_sided(&node.metadata) };
        self.out.tell(vec![spot.difference(what)])?;
        Ok(())
    }

    /// An entry that both have.
    fn entry(
        &mut self,
        pair: &mut TreePair,
        place: &Place,
        trees: &[Arc<dyn Tree>; 2],
        path: &[u8],
        nodes: [Node; 2],
        places: &mut Places,
    ) -> Result<(), Stop> {
        let here = inner(place, path, trees);
        let [a, b] = nodes.each_ref().map(|node| &node.metadata);
        let mut differences = metadata(&here, a, b);
        differences.extend(pair.hard_links(&here, path, [a, b]));
        self.out.tell(differences)?;
        match (a.kind, b.kind) {
            (Kind::Folder, Kind::Folder) if !trees[0].flat() => {
                self.folder(pair, place, trees, path, &nodes, places)
            }
            (Kind::File, Kind::File) => {
                let digests = [trees[0].digest(&nodes[0]), trees[1].digest(&nodes[1])];
                if digests[0].is_some() && digests[0] == digests[1] {
                    return Ok(());
                }
                let contents =
                    [trees[0].open(&nodes[0]).of(Side::A)?, trees[1].open(&nodes[1]).of(Side::B)?];
                let known = match pair.known([a, b], path) {
                    None => places.known(&contents, Some(path)),
                    known => known,
                };
                let Some(names) = known else { return self.file(here, contents) };
                match names
                    .and_now(path, &contents, || Ok(differ(&self.shares, &contents)?.is_some()))?
                {
                    NextName::Equal => Ok(()),
                    NextName::Differs => self.file(here, contents),
                    NextName::TooMany => Ok(self.out.tell(vec![not_judged(&here, names)])?),
                }
            }
            _ => Ok(()),
        }
    }

    /// Compares the parts of the containers beside their trees.
    fn parts(
        &mut self,
        place: &Place,
        trees: &[Arc<dyn Tree>; 2],
        places: &mut Places,
    ) -> Result<(), Stop> {
        let lists = [trees[0].parts().of(Side::A)?, trees[1].parts().of(Side::B)?];
        // one name may stand for several parts: the first of A goes with the first of B
        let mut named: BTreeMap<(String, usize), [Option<diskimage::Part>; 2]> = BTreeMap::new();
        for (side, list) in lists.into_iter().enumerate() {
            let mut counts: HashMap<String, usize> = HashMap::new();
            for part in list {
                let count = counts.entry(part.name.clone()).or_default();
                *count += 1;
                let key = (part.name.clone(), *count);
                named.entry(key).or_default()[side] = Some(part);
            }
        }
        for ((name, count), parts) in named {
            let name = if count > 1 { format!("{name}#{count}") } else { name };
            let here = Spot { place: place.join(&name), layer: trees[0].layer(), is_part: true };
            let [a, b] = parts.map(|part| part.map(|part| part.what));
            match (a, b) {
                (Some(PartContent::Bytes(a)), Some(PartContent::Bytes(b))) => {
                    let contents = [Content::Plain(a), Content::Plain(b)];
                    if places.known(&contents, None).is_none() {
                        self.file(here, contents)?;
                    }
                }
                (Some(PartContent::Tree(a)), Some(PartContent::Tree(b))) => {
                    self.all_of(&here.place, &[a, b], places)?;
                }
                (
                    a @ (Some(PartContent::SharedBlocks(_)) | None),
                    b @ (Some(PartContent::SharedBlocks(_)) | None),
                ) => self.tails(&here, [a, b])?,
                (a, b) => {
                    for (side, part) in [(Side::A, a), (Side::B, b)] {
                        if let Some(part) = part {
                            self.only(&here, side, &a_part(&part))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl TreePair {
    /// The names of a file that has several on both sides, if this is not the first.
    fn known(&mut self, [a, b]: [&Metadata; 2], path: &[u8]) -> Option<&mut ContentNames> {
        // an archive tells no number, and an inode only of what has several names
        let several = a.links.is_none_or(|n| n > 1) && b.links.is_none_or(|n| n > 1);
        let inodes = [a.inode.filter(|_| several)?, b.inode?];
        match self.inodes.entry(inodes) {
            Entry::Occupied(names) => Some(names.into_mut()),
            Entry::Vacant(new) => {
                new.insert(ContentNames::new(Some(path)));
                None
            }
        }
    }

    /// Names that are one file in A and two in B, or the other way round.
    fn hard_links(
        &mut self,
        spot: &Spot,
        path: &[u8],
        metadata: [&Metadata; 2],
    ) -> Option<Difference> {
        let mut first = [None, None];
        for ((links, metadata), first) in self.links.iter_mut().zip(metadata).zip(&mut first) {
            if let (Some(inode), Some(2..), false) =
                (metadata.inode, metadata.links, metadata.kind == Kind::Folder)
            {
                let known = links.entry(inode).or_insert_with(|| path.to_vec());
                *first = (known != path).then(|| printable(known));
            }
        }
        let [a, b] = first;
        if a == b {
            return None;
        }
        let none = || "-".to_string();
        let (a, b) = (a.unwrap_or_else(none), b.unwrap_or_else(none));
        let what = DifferenceKind::Metadata { field: MetadataField::HardLink, a, b };
        Some(spot.difference(what))
    }
}

/// Folders and layers down to a path of a tree that is at `place`: walking recurses through both, so
/// both together are bounded.
fn depth(place: &Place, path: &[u8]) -> usize {
    let above: usize = place.0.iter().map(|path| path.split('/').count() + 1).sum();
    above + path.split(|byte| *byte == b'/').count()
}

/// A path of a tree that is at `place`.
fn inner(place: &Place, path: &[u8], trees: &[Arc<dyn Tree>; 2]) -> Spot {
    let place = if path.is_empty() { place.clone() } else { place.join(printable(path)) };
    Spot::new(place, trees[0].layer())
}

/// A part of an image as an entry: only its length is known.
fn a_part(part: &PartContent) -> Node {
    let mut node = Node::unknown_file();
    if let PartContent::Bytes(bytes) = part {
        node.metadata.size = bytes.size().unwrap_or(0);
    }
    node
}
