//! Packages that are not the same on both sides, and the files that are theirs.

use super::fact::{Fact, Facts, Seen};
use crate::difference::Side;
use crate::images::Images;
use crate::packages::{changes, versions};
use std::collections::HashSet;

const STATUS: &str = "var/lib/dpkg/status";

/// What installing other versions changes beside the packages' own files.
const GENERATED: [&str; 6] = [
    "etc/ld.so.cache",
    "usr/lib/modules/*/modules.*",
    "var/lib/dpkg/**",
    "var/lib/apt/extended_states",
    "etc/alternatives/**",
    "var/lib/initramfs-tools/**",
];

/// Packages that moved.
pub(super) struct Moved {
    /// `bash 5.2-1 → 5.2-2`, `only in A: vim 9.1`, by name.
    pub(super) changes: Vec<String>,
    /// Paths without a leading slash.
    files: HashSet<String>,
    /// Their folders, which others may have, too.
    folders: HashSet<String>,
}

impl Moved {
    /// `None` where the package database is the same on both sides, or there is none.
    pub(super) fn between(facts: &Facts, images: &Images) -> Option<Moved> {
        let fact = facts
            .list
            .iter()
            .find(|fact| fact.place.path() == STATUS && matches!(fact.what, Seen::Content(_)))?;
        let layers = &fact.place.0[..fact.place.0.len() - 1];
        let list =
            |side| Some(versions(&String::from_utf8_lossy(&images.read(side, layers, STATUS)?)));
        let changed = changes(&list(Side::A)?, &list(Side::B)?);
        if changed.is_empty() {
            return None;
        }
        let (mut files, mut folders) = (HashSet::new(), HashSet::new());
        for (name, _) in &changed {
            for side in [Side::A, Side::B] {
                let lists = [
                    format!("var/lib/dpkg/info/{name}.list"),
                    format!("var/lib/dpkg/info/{name}:amd64.list"),
                ];
                let list = lists.iter().find_map(|path| images.read(side, layers, path));
                let list = list.unwrap_or_default();
                add_files(&mut files, &mut folders, &String::from_utf8_lossy(&list));
            }
        }
        let changes = changed.into_iter().map(|(_, line)| line).collect();
        Some(Moved { changes, files, folders })
    }

    /// Whether what differs at `place` is a file of a package that moved, or made from one.
    pub(super) fn explains(&self, fact: &Fact) -> bool {
        let path = fact.place.path().trim_start_matches('/');
        let came = matches!(&fact.what, Seen::OnlyIn { entry, .. } if entry.kind == "dir");
        (came && self.folders.contains(&merged(path)))
            || self.files.contains(&merged(path))
            || GENERATED.iter().any(|pattern| xtask_core::glob::matches_path(pattern, path))
    }
}

/// Files and folders of a package's list; a folder belongs to many.
fn add_files(files: &mut HashSet<String>, folders: &mut HashSet<String>, list: &str) {
    let mut lines: Vec<&str> = list.lines().collect();
    lines.sort_unstable();
    for (i, line) in lines.iter().enumerate() {
        let folder = lines
            .get(i + 1)
            .is_some_and(|next| next.strip_prefix(line).is_some_and(|rest| rest.starts_with('/')));
        let path = merged(line.trim_start_matches('/'));
        if folder {
            folders.insert(path)
        } else {
            files.insert(path)
        };
    }
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
    fn a_folder_belongs_to_no_package() {
        let (mut files, mut folders) = (HashSet::new(), HashSet::new());
        add_files(
            &mut files,
            &mut folders,
            "/.\n/bin\n/bin/bash\n/usr\n/usr/share\n/usr/share/doc/bash\n",
        );
        assert!(files.contains("usr/bin/bash") && files.contains("usr/share/doc/bash"));
        assert!(!files.contains("usr") && !files.contains("usr/bin"));
        assert!(folders.contains("usr/share") && !folders.contains("usr/share/doc/bash"));
    }
}
