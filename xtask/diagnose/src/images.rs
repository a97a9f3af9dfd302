//! Both images as open trees: any file of A or B by its place.

use crate::difference::{Place, Side};
use diskimage::{Budget, Layer, Metadata, Shared, Tree};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use xtask_core::inner_path;

/// Bytes of a list, such as a package database, that are read at most.
const LONGEST_LIST: usize = 64 << 20;

/// The outermost trees of A and B; `None` where an image is in no format that is read.
pub(crate) struct Images {
    trees: [Option<Arc<dyn Tree>>; 2],
    /// Their bytes; `None` for a folder.
    sources: [Option<Shared>; 2],
    /// The layer that was opened last, and the way to it: many files are read from one.
    last: [Mutex<Option<Opened>>; 2],
}

type Opened = (Vec<String>, Arc<dyn Tree>);

impl Images {
    pub(crate) fn open_both(a: &Path, b: &Path) -> Images {
        let [(tree_a, source_a), (tree_b, source_b)] = [a, b].map(outermost);
        Images { trees: [tree_a, tree_b], sources: [source_a, source_b], last: Default::default() }
    }

    /// The formats of A and B; `None` for one that is not read.
    pub(crate) fn formats(&self) -> [Option<&'static str>; 2] {
        self.trees.each_ref().map(|tree| tree.as_ref().map(|tree| tree.layer()))
    }

    /// The bytes of an image itself.
    pub(crate) fn whole(&self, side: Side) -> Option<&Shared> {
        self.sources[side as usize].as_ref()
    }

    /// The content at a place; `None` if that is no file of a tree.
    pub(crate) fn open(&self, side: Side, place: &Place) -> Option<Shared> {
        let (path, layers) = place.0.split_last()?;
        let tree = self.innermost(side, layers)?;
        let node = diskimage::find(&*tree, path.as_bytes()).ok()??;
        Some(tree.open(&node).ok()?.source())
    }

    /// Reads a file; `layers` lead to the file system, and `path` is in it.
    pub(crate) fn read(&self, side: Side, layers: &[String], path: &str) -> Option<Vec<u8>> {
        let tree = self.innermost(side, layers)?;
        diskimage::read(&*tree, path.as_bytes(), LONGEST_LIST).ok()?
    }

    /// Names of the entries of a folder; none: there is no such folder.
    pub(crate) fn names(&self, side: Side, layers: &[String], folder: &str) -> Vec<String> {
        let list = || {
            let tree = self.innermost(side, layers)?;
            let node = diskimage::find(&*tree, folder.as_bytes()).ok()??;
            tree.list(&node).ok()
        };
        let names = list().unwrap_or_default().into_iter();
        names.map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    /// Returns true if the program at a place runs as its owner, or as its group, in A or in B.
    pub(crate) fn is_setuid(&self, place: &Place) -> bool {
        let Some((path, layers)) = place.0.split_last() else { return false };
        [Side::A, Side::B].into_iter().any(|side| {
            let tree = self.innermost(side, layers);
            let node = tree.and_then(|tree| diskimage::find(&*tree, path.as_bytes()).ok()?);
            node.is_some_and(|node| node.metadata.mode.is_some_and(|mode| mode & 0o6000 != 0))
        })
    }

    /// Returns true if a link at `place` would lead to an entry of its file system.
    pub(crate) fn leads(&self, side: Side, place: &Place, target: &str) -> bool {
        let Some((path, layers)) = place.0.split_last() else { return false };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let whole =
            if target.starts_with('/') { target.to_owned() } else { format!("{folder}/{target}") };
        let whole = inner_path::plain(&whole);
        let tree = self.innermost(side, layers);
        tree.is_some_and(|tree| matches!(diskimage::find(&*tree, whole.as_bytes()), Ok(Some(_))))
    }

    /// Calls `each` with the path and the metadata of every entry of a file system. Returns false if it could not be
    /// read to its end.
    pub(crate) fn walk(
        &self,
        side: Side,
        layers: &[String],
        each: &mut dyn FnMut(&[u8], &Metadata),
    ) -> bool {
        let Some(tree) = self.innermost(side, layers) else { return false };
        let walked = diskimage::walk(&*tree, &mut |path, node| {
            each(path, &node.metadata);
            Ok(())
        });
        walked.is_ok()
    }

    fn innermost(&self, side: Side, layers: &[String]) -> Option<Arc<dyn Tree>> {
        let mut last = self.last[side as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((way, tree)) = &*last
            && way == layers
        {
            return Some(tree.clone());
        }
        let mut tree = self.trees[side as usize].clone()?;
        let budget = Budget::for_size(1 << 30);
        for layer in layers {
            let node = diskimage::find(&*tree, layer.as_bytes()).ok()??;
            let source = tree.open(&node).ok()?.source();
            tree = Layer::of(&source, &budget).ok()??.tree();
        }
        *last = Some((layers.to_vec(), tree.clone()));
        Some(tree)
    }
}

fn outermost(path: &Path) -> (Option<Arc<dyn Tree>>, Option<Shared>) {
    if path.is_dir() {
        return (diskimage::open_folder(path).ok(), None);
    }
    let Ok(file) = diskimage::source::LocalFile::open(path) else { return (None, None) };
    let source: Shared = Arc::new(file);
    let budget = Budget::for_size(source.size().unwrap_or(0));
    let layer = Layer::of(&source, &budget).ok().flatten();
    (layer.map(|layer| layer.tree()), Some(source))
}
