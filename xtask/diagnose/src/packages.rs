//! Lists of installed packages, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};
use xtask_core::deb822;

/// Version by name and architecture, from dpkg's database.
pub(crate) fn versions(status: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for package in deb822::paragraphs(status) {
        let installed = package.get("Status").is_none_or(|status| status.ends_with(" installed"));
        if let (Some(name), Some(version), true) =
            (package.get("Package"), package.get("Version"), installed)
        {
            found.insert(name.to_owned(), version.to_owned());
        }
    }
    found
}

/// The changes from one list to another, one line each, in the order of names.
pub(crate) fn changes(
    a: &BTreeMap<String, String>,
    b: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let change = |name: &String| match (a.get(name), b.get(name)) {
        (Some(x), Some(y)) if x == y => None,
        (Some(x), Some(y)) => Some((name.clone(), format!("{name} {x} → {y}"))),
        (Some(x), None) => Some((name.clone(), format!("only in A: {name} {x}"))),
        (None, Some(y)) => Some((name.clone(), format!("only in B: {name} {y}"))),
        (None, None) => None,
    };
    names.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_moved_came_or_went() {
        let a = "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n\nPackage: vim\nVersion: 9\n";
        let b = "Package: bash\nStatus: install ok installed\nVersion: 5.2-2\n\n\
                 Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: zsh\nVersion: 5\n";
        let lines: Vec<String> =
            changes(&versions(a), &versions(b)).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["bash 5.2-1 → 5.2-2", "only in A: vim 9", "only in B: zsh 5"]);
    }
}
