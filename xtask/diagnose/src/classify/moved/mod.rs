//! Packages with other versions, and the files that are provably theirs: the package database's own
//! checksums name A's bytes on the one side and B's on the other.

mod apk;
mod dpkg;
mod manager;
mod pacman;

use super::checksums;
use super::fact::{Fact, Facts, Seen};
use crate::difference::{Place, Side};
use crate::images::Images;
use crate::packages::changes;
use manager::{Brought, Manager, Sum, View, merged, value};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use std::collections::{BTreeMap, HashSet};

const MANAGERS: [Manager; 3] = [dpkg::MANAGER, apk::MANAGER, pacman::MANAGER];

/// Packages of one database that moved.
pub(super) struct Moved {
    /// `bash 5.2-1 → 5.2-2`, `only in A: vim 9.1`, by name.
    pub(super) changes: Vec<String>,
    layers: Vec<String>,
    brought: [Brought; 2],
    /// The same of the packages that did not move.
    others: [Brought; 2],
    /// The one file that all packages share, if it differs in nothing but their paragraphs.
    shared: Option<&'static str>,
}

/// Packages that moved, for each package database that differs.
pub(super) fn all(facts: &Facts, images: &Images) -> Vec<Moved> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for fact in &facts.list {
        for (n, manager) in MANAGERS.iter().enumerate() {
            let Some((path, layers)) = fact.place.0.split_last() else { continue };
            if (manager.has)(path) && seen.insert((n, layers.to_vec())) {
                found.extend(between(manager, images, layers));
            }
        }
    }
    found
}

fn between(manager: &Manager, images: &Images, layers: &[String]) -> Option<Moved> {
    let views = [Side::A, Side::B].map(|side| View { images, side, layers });
    let versions = [(manager.versions)(&views[0])?, (manager.versions)(&views[1])?];
    let changed = changes(&versions[0], &versions[1]);
    if changed.is_empty() {
        return None;
    }
    let names: HashSet<&str> = changed.iter().map(|(name, _)| name.as_str()).collect();
    let mut brought = [Brought::default(), Brought::default()];
    let mut others = [Brought::default(), Brought::default()];
    for side in [0, 1] {
        for (name, version) in &versions[side] {
            let of = if names.contains(name.as_str()) { &mut brought } else { &mut others };
            (manager.brought)(&views[side], name, version, &mut of[side]);
        }
    }
    let shared = manager.shared.and_then(|(path, fields)| {
        let [a, b] = [views[0].text(path)?, views[1].text(path)?];
        let a = paragraphs_of_others(&a, fields, &names)?;
        (a == paragraphs_of_others(&b, fields, &names)?).then_some(path)
    });
    let changes = changed.iter().map(|(_, line)| line.clone()).collect();
    Some(Moved { changes, layers: layers.to_vec(), brought, others, shared })
}

impl Moved {
    /// Returns true if a difference is one of files that these packages brought.
    pub(super) fn explains(&self, fact: &Fact, images: &Images) -> bool {
        let Some((path, within)) = self.path(&fact.place) else { return false };
        let content = matches!(fact.what, Seen::Content(_) | Seen::Repacked { .. }) || within;
        // a list of a package that the side does not have is nobody's
        let has = |side: Side| {
            self.brought[side as usize].lists.contains(path) || self.is_theirs(side, path, images)
        };
        match &fact.what {
            _ if Some(path) == self.shared => content,
            // no database says who may do what with an entry
            Seen::OnlyIn { side, entry } if !within && entry.is_plain() => {
                (entry.kind == "dir" && self.folder(path)) || (entry.kind == "file" && has(*side))
            }
            _ if content => has(Side::A) && has(Side::B),
            _ => false,
        }
    }

    /// Returns true if these packages list the file, which proves nothing about its bytes.
    pub(super) fn lists(&self, fact: &Fact) -> bool {
        let Some((path, _)) = self.path(&fact.place) else { return false };
        self.brought.iter().any(|side| side.files.contains(&merged(path)))
    }

    fn folder(&self, path: &str) -> bool {
        self.brought.iter().any(|side| side.folders.contains(&merged(path)))
    }

    /// The path of the file in that file system, and whether the difference is within the file.
    fn path<'p>(&self, place: &'p Place) -> Option<(&'p str, bool)> {
        let inner = place.0.strip_prefix(self.layers.as_slice())?;
        Some((inner.first()?.trim_start_matches('/'), inner.len() > 1))
    }

    /// Returns true if the file has the checksum that its package says.
    fn is_theirs(&self, side: Side, path: &str, images: &Images) -> bool {
        let Some(sum) = self.brought[side as usize].sums.get(&merged(path)) else { return false };
        // of two packages that claim a file, the one that did not move may be right
        if self.others.iter().any(|others| others.has(&merged(path))) {
            return false;
        }
        let mut place = Place(self.layers.clone());
        place.0.push(path.to_owned());
        images.open(side, &place).is_some_and(|source| match sum {
            Sum::Md5(sum) => checksums::of::<Md5>(&source).as_ref() == Some(sum),
            Sum::Sha1(sum) => checksums::of::<Sha1>(&source).as_ref() == Some(sum),
            Sum::Sha256(sum) => checksums::of::<Sha256>(&source).as_ref() == Some(sum),
        })
    }
}

/// The paragraphs of all other packages; `None` if a package is there twice.
fn paragraphs_of_others<'t>(
    text: &'t str,
    fields: [&str; 2],
    names: &HashSet<&str>,
) -> Option<BTreeMap<[&'t str; 2], &'t str>> {
    let mut others = BTreeMap::new();
    let mut seen = HashSet::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        let package = fields.map(|field| value(paragraph, field).unwrap_or_default());
        if !seen.insert(package) {
            return None;
        }
        if !names.contains(package[0]) {
            others.insert(package, paragraph);
        }
    }
    Some(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_another_package_is_not_theirs() {
        let names = HashSet::from(["bash"]);
        let of = |text| paragraphs_of_others(text, ["Package: ", "Architecture: "], &names);
        let a = "Package: bash\nVersion: 1\n\nPackage: sudo\nVersion: 2\n";
        let b = "Package: bash\nVersion: 3\n\nPackage: sudo\nVersion: 2\n";
        let c = "Package: bash\nVersion: 3\n\nPackage: sudo\nVersion: 2\nConffiles: x\n";
        assert_eq!(of(a), of(b));
        assert_ne!(of(a), of(c));
        assert_eq!(of("Package: sudo\nVersion: 2\n\nPackage: sudo\nVersion: 1\n"), None);
    }
}
