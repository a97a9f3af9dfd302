//! Kernel command lines that changed from one image to the other.

use crate::inspect::boot::BootEntry;
use std::collections::BTreeMap;

/// Changes of the boot entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BootLineChanges {
    /// Entries with the same command line in both images.
    pub(super) same: usize,
    pub(super) changed: Vec<BootLineChange>,
    /// Entries that only A, or only B, has: name and command line.
    pub(super) only: [Vec<(String, String)>; 2],
}

/// One change of the command line, and the entries that have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BootLineChange {
    pub(super) entries: Vec<String>,
    /// Words that only A has. If nothing was removed or added, the order of the words changed.
    pub(super) removed: Vec<String>,
    /// Words that only B has.
    pub(super) added: Vec<String>,
}

impl BootLineChanges {
    pub(super) fn between(a: &[BootEntry], b: &[BootEntry]) -> BootLineChanges {
        let [a, b] = [a, b].map(by_name);
        let mut found = BootLineChanges::default();
        let mut changed: BTreeMap<(Vec<String>, Vec<String>), Vec<String>> = BTreeMap::new();
        for (name, line) in &a {
            match b.get(name) {
                None => found.only[0].push((name.clone(), line.clone())),
                Some(other) if other == line => found.same += 1,
                Some(other) => {
                    let change = (only_in(line, other), only_in(other, line));
                    changed.entry(change).or_default().push(name.clone());
                }
            }
        }
        let new = b.into_iter().filter(|(name, _)| !a.contains_key(name));
        found.only[1].extend(new);
        let changed = changed.into_iter();
        found.changed = changed
            .map(|((removed, added), entries)| BootLineChange { entries, removed, added })
            .collect();
        found
    }

    pub(super) fn none(&self) -> bool {
        self.changed.is_empty() && self.only.iter().all(Vec::is_empty)
    }
}

/// Command lines by the entry's title and file. A later entry of the same name gets a number.
fn by_name(entries: &[BootEntry]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for entry in entries {
        let name = format!("`{}` ({})", entry.title, entry.file);
        let mut numbered = name.clone();
        for n in 2.. {
            if !found.contains_key(&numbered) {
                break;
            }
            numbered = format!("{name}, {n}");
        }
        found.insert(numbered, entry.command_line.clone());
    }
    found
}

/// Words of one command line that the other does not have as often, in their order.
fn only_in(line: &str, other: &str) -> Vec<String> {
    let mut left: Vec<&str> = other.split_whitespace().collect();
    let words = line.split_whitespace().filter(|word| {
        let at = left.iter().position(|other| other == word);
        at.map(|at| left.swap_remove(at)).is_none()
    });
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(title: &str, command_line: &str) -> BootEntry {
        BootEntry {
            file: "grub.cfg".to_owned(),
            title: title.to_owned(),
            kernel: "vmlinuz".to_owned(),
            command_line: command_line.to_owned(),
        }
    }

    #[test]
    fn entries_with_the_same_change_are_listed_together() {
        let a = ["Live", "Safe"].map(|title| entry(title, "quiet a=1 a=1 x"));
        let a = [&a[..], &[entry("Old", "o"), entry("Same", "s")]].concat();
        let b = ["Live", "Safe"].map(|title| entry(title, "quiet a=1 y x"));
        let b = [&b[..], &[entry("New", "n"), entry("Same", "s")]].concat();
        let changes = BootLineChanges::between(&a, &b);
        let change = BootLineChange {
            entries: vec!["`Live` (grub.cfg)".to_owned(), "`Safe` (grub.cfg)".to_owned()],
            removed: vec!["a=1".to_owned()],
            added: vec!["y".to_owned()],
        };
        assert_eq!(changes.changed, [change]);
        assert_eq!(changes.only[0], [("`Old` (grub.cfg)".to_owned(), "o".to_owned())]);
        assert_eq!(changes.only[1], [("`New` (grub.cfg)".to_owned(), "n".to_owned())]);
        assert_eq!(changes.same, 1);
        assert!(BootLineChanges::between(&a, &a).none());
    }

    #[test]
    fn another_order_is_a_change_and_entries_of_one_name_are_told_apart() {
        let changes = BootLineChanges::between(&[entry("Live", "a b")], &[entry("Live", "b a")]);
        assert_eq!((changes.changed[0].removed.len(), changes.changed[0].added.len()), (0, 0));
        let twice = [entry("Live", "a"), entry("Live", "b")];
        let changes = BootLineChanges::between(&twice, &twice[..1]);
        assert_eq!(changes.only[0], [("`Live` (grub.cfg), 2".to_owned(), "b".to_owned())]);
    }
}
