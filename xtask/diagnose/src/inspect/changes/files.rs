//! Files that came and went from one image to the other, by their paths.

use crate::inspect::Contents;
use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use xtask_core::escape::Shown as _;

/// Files that only one of the images has. A folder stands for everything in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileChanges {
    /// Only in B: path, and the number of entries at it and below.
    pub(super) came: BTreeMap<String, u64>,
    /// Only in A.
    pub(super) went: BTreeMap<String, u64>,
}

impl FileChanges {
    pub(super) fn between(a: &BTreeSet<String>, b: &BTreeSet<String>) -> FileChanges {
        FileChanges { came: only_in(b, a), went: only_in(a, b) }
    }

    pub(super) fn none(&self) -> bool {
        self.came.is_empty() && self.went.is_empty()
    }
}

/// Paths of the system's root file system, each with a `/` before it.
///
/// # Errors
/// The file system is damaged.
pub(super) fn of_system(contents: &Contents) -> Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    let Some(root) = contents.root() else { return Ok(paths) };
    let walked = diskimage::walk(&*root.tree, &mut |path, _| {
        paths.insert(format!("/{}", String::from_utf8_lossy(path)));
        Ok(())
    });
    walked.with_context(|| format!("{}: {}", contents.path.shown(), root.path.shown()))?;
    Ok(paths)
}

/// Paths of the files of the image itself, its partitions and its boot images.
pub(super) fn of_image(contents: &Contents) -> BTreeSet<String> {
    contents.volumes.files().map(|(_, file)| file.path.clone()).collect()
}

/// The topmost paths that `some` has and `others` does not have, with the number of entries that each
/// stands for.
fn only_in(some: &BTreeSet<String>, others: &BTreeSet<String>) -> BTreeMap<String, u64> {
    // a list may name files only: their folders are there, too
    let folders: BTreeSet<&str> = others.iter().flat_map(|path| folders_of(path)).collect();
    let known = |path: &str| others.contains(path) || folders.contains(path);
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for path in some.iter().filter(|path| !known(path)) {
        let top = folders_of(path).find(|folder| !known(folder)).unwrap_or(path);
        *found.entry(top.to_owned()).or_default() += 1;
    }
    found
}

/// The folders above a path, from the top.
fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter(|(at, _)| *at > 0).map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that came and that went, each with its number of entries.
    fn changes(a: &[&str], b: &[&str]) -> [Vec<(String, u64)>; 2] {
        let [a, b] = [a, b].map(|list| list.iter().map(|path| (*path).to_owned()).collect());
        let FileChanges { came, went } = FileChanges::between(&a, &b);
        [came, went].map(|list| list.into_iter().collect())
    }

    #[test]
    fn a_folder_stands_for_everything_in_it() {
        let [came, went] = changes(
            &["/usr", "/usr/lib", "/usr/lib/6.1", "/usr/lib/6.1/a", "/usr/lib/6.1/b", "/usr/x"],
            &["/usr", "/usr/lib", "/usr/lib/6.2", "/usr/lib/6.2/a", "/usr/lib-x", "/usr/x"],
        );
        assert_eq!(came, [("/usr/lib-x".to_owned(), 1), ("/usr/lib/6.2".to_owned(), 2)]);
        assert_eq!(went, [("/usr/lib/6.1".to_owned(), 3)]);
    }

    #[test]
    fn folders_need_not_be_listed() {
        let [came, went] = changes(&["boot/a", "live/x"], &["boot/b", "EFI/BOOT/c", "live/x"]);
        assert_eq!(came, [("EFI".to_owned(), 1), ("boot/b".to_owned(), 1)]);
        assert_eq!(went, [("boot/a".to_owned(), 1)]);
        assert_eq!(changes(&["a/b"], &["a/b"]), [const { Vec::new() }; 2]);
    }
}
