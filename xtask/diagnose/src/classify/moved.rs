//! Packages with other versions, and the files that are provably theirs: dpkg's own list of checksums
//! names A's bytes on the one side and B's on the other.

use super::checksums;
use super::fact::{Fact, Facts, Seen};
use crate::difference::{Place, Side};
use crate::images::Images;
use crate::packages::{changes, versions};
use md5::Md5;
use std::collections::{BTreeMap, HashMap, HashSet};

const STATUS: &str = "var/lib/dpkg/status";

/// Packages that moved.
pub(super) struct Moved {
    /// `bash 5.2-1 → 5.2-2`, `only in A: vim 9.1`, by name.
    pub(super) changes: Vec<String>,
    /// The file system that has the package database.
    layers: Vec<String>,
    /// MD5 of each of their files, by its path in A and in B.
    sums: [HashMap<String, String>; 2],
    /// Their folders, which other packages may have, too.
    folders: HashSet<String>,
    /// Their lists in dpkg's database.
    lists: HashSet<String>,
    /// True if the database differs in nothing but their paragraphs.
    only_theirs: bool,
}

impl Moved {
    /// `None` if the package database is the same on both sides, or if there is none.
    pub(super) fn between(facts: &Facts, images: &Images) -> Option<Moved> {
        let fact = facts
            .list
            .iter()
            .find(|fact| fact.place.path() == STATUS && matches!(fact.what, Seen::Content(_)))?;
        let layers = &fact.place.0[..fact.place.0.len() - 1];
        let read = |side, path: &str| {
            Some(String::from_utf8_lossy(&images.read(side, layers, path)?).into_owned())
        };
        let status = [read(Side::A, STATUS)?, read(Side::B, STATUS)?];
        let [a, b] = status.each_ref().map(|text| versions(text));
        let changed = changes(&a, &b);
        if changed.is_empty() {
            return None;
        }
        let mut moved = Moved {
            changes: changed.iter().map(|(_, line)| line.clone()).collect(),
            layers: layers.to_vec(),
            sums: Default::default(),
            folders: HashSet::new(),
            lists: HashSet::new(),
            only_theirs: false,
        };
        let names: HashSet<&str> = changed.iter().map(|(name, _)| name.as_str()).collect();
        let [x, y] = status.each_ref().map(|text| others(text, &names));
        moved.only_theirs = x.is_some() && x == y;
        for name in names {
            for side in [Side::A, Side::B] {
                for name in [name.to_owned(), format!("{name}:amd64")] {
                    let path = |end: &str| format!("var/lib/dpkg/info/{name}.{end}");
                    moved.lists.extend([path("list"), path("md5sums")]);
                    let list = read(side, &path("list")).unwrap_or_default();
                    moved.folders.extend(folders(&list));
                    let sums = read(side, &path("md5sums")).unwrap_or_default();
                    let sums = sums.lines().filter_map(|line| line.split_once("  "));
                    let sums = sums.map(|(sum, path)| (merged(path), sum.to_owned()));
                    moved.sums[side as usize].extend(sums);
                }
            }
        }
        Some(moved)
    }

    /// Returns true if a difference is one of files that these packages brought.
    pub(super) fn explains(&self, fact: &Fact, images: &Images) -> bool {
        let Some((path, within)) = self.path(&fact.place) else { return false };
        let content = matches!(fact.what, Seen::Content(_) | Seen::Repacked { .. }) || within;
        match &fact.what {
            _ if path == STATUS => content && self.only_theirs,
            Seen::OnlyIn { side, entry } if !within => {
                (entry.kind == "dir" && self.folders.contains(&merged(path)))
                    || self.lists.contains(path)
                    || (entry.kind == "file" && self.is_theirs(*side, path, images))
            }
            _ if content => {
                self.lists.contains(path)
                    || [Side::A, Side::B].iter().all(|side| self.is_theirs(*side, path, images))
            }
            _ => false,
        }
    }

    /// The path of the file in that file system, and whether the difference is within the file.
    fn path<'p>(&self, place: &'p Place) -> Option<(&'p str, bool)> {
        let inner = place.0.strip_prefix(self.layers.as_slice())?;
        Some((inner.first()?.trim_start_matches('/'), inner.len() > 1))
    }

    /// Returns true if the file has the checksum that its package says.
    fn is_theirs(&self, side: Side, path: &str, images: &Images) -> bool {
        let Some(sum) = self.sums[side as usize].get(&merged(path)) else { return false };
        let mut place = Place(self.layers.clone());
        place.0.push(path.to_owned());
        images.open(side, &place).and_then(|source| checksums::of::<Md5>(&source)).as_ref()
            == Some(sum)
    }
}

/// The paragraphs of all other packages; `None` if a package is there twice.
fn others<'t>(status: &'t str, names: &HashSet<&str>) -> Option<BTreeMap<[&'t str; 2], &'t str>> {
    let mut others = BTreeMap::new();
    let mut seen = HashSet::new();
    for paragraph in status.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        let value =
            |field| paragraph.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        let package = [value("Package: "), value("Architecture: ")];
        if !seen.insert(package) {
            return None;
        }
        if !names.contains(package[0]) {
            others.insert(package, paragraph);
        }
    }
    Some(others)
}

/// The folders of a package's list.
fn folders(list: &str) -> HashSet<String> {
    let mut lines: Vec<&str> = list.lines().collect();
    lines.sort_unstable();
    let is_folder =
        |pair: &&[&str]| pair[1].strip_prefix(pair[0]).is_some_and(|rest| rest.starts_with('/'));
    lines.windows(2).filter(is_folder).map(|pair| merged(pair[0].trim_start_matches('/'))).collect()
}

/// A path as it is since /bin, /sbin and /lib are links into /usr.
fn merged(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if matches!(first, "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32") {
        format!("usr/{path}")
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_list_are_told_from_files() {
        let list = "/.\n/bin\n/bin/bash\n/usr\n/usr/share\n/usr/share/doc/bash\n";
        let folders = folders(list);
        assert!(folders.contains("usr/share") && folders.contains("usr/bin"));
        assert!(!folders.contains("usr/bin/bash") && !folders.contains("usr/share/doc/bash"));
    }

    #[test]
    fn a_change_of_another_package_is_not_theirs() {
        let names = HashSet::from(["bash"]);
        let a = "Package: bash\nVersion: 1\n\nPackage: sudo\nVersion: 2\n";
        let b = "Package: bash\nVersion: 3\n\nPackage: sudo\nVersion: 2\n";
        let c = "Package: bash\nVersion: 3\n\nPackage: sudo\nVersion: 2\nConffiles: x\n";
        assert_eq!(others(a, &names), others(b, &names));
        assert_ne!(others(a, &names), others(c, &names));
        assert_eq!(others(&format!("{a}\nPackage: sudo\nVersion: 1\n"), &names), None);
    }
}
