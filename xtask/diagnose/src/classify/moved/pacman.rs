//! Arch's pacman: for each package a folder, with an mtree that has the SHA-256 of each file (alpm-mtree(5)).

use super::manager::{Brought, Manager, Sum, View, merged};

const LOCAL: &str = "var/lib/pacman/local";

pub(super) const MANAGER: Manager = Manager {
    has: |path| path.strip_prefix(LOCAL).is_some_and(|rest| rest.starts_with('/')),
    versions: |view| {
        let names = view.names(LOCAL);
        (!names.is_empty()).then(|| names.iter().filter_map(|name| version(name)).collect())
    },
    brought,
    shared: None,
};

/// `NAME-VERSION-RELEASE`.
fn version(folder: &str) -> Option<(String, String)> {
    let (rest, release) = folder.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some((name.to_owned(), format!("{version}-{release}")))
}

fn brought(view: &View<'_>, name: &str, version: &str, found: &mut Brought) {
    let folder = format!("{LOCAL}/{name}-{version}");
    let own = |name: &str| format!("{folder}/{name}");
    found.lists.extend(["desc", "files", "mtree"].map(own));
    found.folders.insert(folder.clone());
    for line in view.unpacked(&own("mtree")).unwrap_or_default().lines() {
        let mut words = line.split(' ');
        let Some(path) = words.next().and_then(|path| path.strip_prefix("./")) else { continue };
        let value = |field: &str| words.clone().find_map(|word| word.strip_prefix(field));
        let path = match path {
            ".INSTALL" => own("install"),
            ".CHANGELOG" => own("changelog"),
            _ => merged(&unescaped(path)),
        };
        match (value("type="), value("sha256digest=")) {
            (Some("dir"), _) => {
                found.folders.insert(path);
            }
            (_, Some(sum)) => {
                found.files.insert(path.clone());
                found.sums.insert(path, Sum::Sha256(sum.to_owned()));
            }
            _ => {}
        }
    }
}

/// mtree(5) writes bytes that are no plain text as a backslash with three octal digits.
fn unescaped(path: &str) -> String {
    let mut out = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                out.push(byte);
                rest = &after[3..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_bars_and_paths_are_escaped() {
        assert_eq!(version("gtk-doc-1.33-2"), Some(("gtk-doc".to_owned(), "1.33-2".to_owned())));
        assert_eq!(unescaped(r"usr/a\040b\\c"), r"usr/a b\\c");
    }
}
