//! Link counts of folders: they follow from what is in them, or are told.

use super::spot::Spot;
use crate::difference::{Difference, DifferenceKind, MetadataField};
use diskimage::{Kind, Named, Node, Tree, printable};
use std::collections::HashMap;
use std::sync::Arc;

/// The link counts of a folder that both have, if they differ and do not follow from the folders in it.
pub(super) fn folder_links(
    spot: &Spot,
    folders: &[Node; 2],
    lists: &[Vec<Named>; 2],
) -> Vec<Difference> {
    let inner = lists
        .each_ref()
        .map(|list| list.iter().filter(|(_, node)| node.metadata.kind == Kind::Folder).count());
    difference(spot, folders.each_ref(), inner).into_iter().collect()
}

/// The same of all folders of an archive, whose names are whole paths.
pub(super) fn links_of_folders(
    root: &Spot,
    trees: &[Arc<dyn Tree>; 2],
    lists: &[Vec<Named>; 2],
) -> Vec<Difference> {
    if !trees[0].flat() {
        return Vec::new();
    }
    let [a, b] = lists.each_ref().map(|list| {
        let is_folder = |named: &&Named| named.1.metadata.kind == Kind::Folder;
        list.iter().filter(is_folder).map(|(name, node)| (&**name, node)).collect::<HashMap<_, _>>()
    });
    let inner = |folders: &HashMap<&[u8], &Node>| {
        let mut counts: HashMap<Vec<u8>, usize> = HashMap::new();
        for name in folders.keys().filter(|name| **name != b".") {
            let end = name.iter().rposition(|byte| *byte == b'/');
            let parent = end.map_or(&b"."[..], |end| &name[..end]);
            *counts.entry(parent.to_vec()).or_default() += 1;
        }
        counts
    };
    let counts = [inner(&a), inner(&b)];
    let mut names: Vec<&[u8]> = a.keys().copied().filter(|name| b.contains_key(name)).collect();
    names.sort_unstable();
    let told = names.into_iter().filter_map(|name| {
        let inner = counts.each_ref().map(|counts| counts.get(name).copied().unwrap_or(0));
        let spot = Spot::new(root.place.join(printable(name)), root.layer);
        difference(&spot, [*a.get(name)?, *b.get(name)?], inner)
    });
    told.collect()
}

/// A folder has a link in itself, one in the folder around it, and one in each folder in it.
fn difference(spot: &Spot, folders: [&Node; 2], inner: [usize; 2]) -> Option<Difference> {
    let [a, b] = folders.map(|folder| folder.metadata.links);
    let follows = || {
        let usual = |links: Option<u32>, inner| links.is_some_and(|n| n as usize == 2 + inner);
        usual(a, inner[0]) && usual(b, inner[1])
    };
    // file systems of this machine count as each of them likes
    if a == b || spot.layer == "tree" || follows() {
        return None;
    }
    let text = |links: Option<u32>| links.map_or("-".to_owned(), |n| n.to_string());
    let what =
        DifferenceKind::Metadata { field: MetadataField::FOLDER_LINKS, a: text(a), b: text(b) };
    Some(spot.difference(what))
}
