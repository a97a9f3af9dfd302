//! How package managers keep what they installed, and how their databases are read.

use crate::difference::Side;
use crate::images::Images;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How a package manager keeps what it installed.
pub(super) struct Manager {
    /// Returns true if packages may have moved where something differs at this path.
    pub(super) has: fn(&str) -> bool,
    /// Version by name.
    pub(super) versions: fn(&View<'_>) -> Option<BTreeMap<String, String>>,
    /// Adds what one package brought.
    pub(super) brought: fn(&View<'_>, name: &str, version: &str, &mut Brought),
    /// The one file that all packages share, and the fields that name a paragraph of it.
    pub(super) shared: Option<(&'static str, [&'static str; 2])>,
}

/// The file system of one side that has the package database.
pub(super) struct View<'i> {
    pub(super) images: &'i Images,
    pub(super) side: Side,
    pub(super) layers: &'i [String],
}

impl View<'_> {
    /// A list that is text as a whole: what is replaced to make it text, could differ.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        String::from_utf8(self.images.read(self.side, self.layers, path)?).ok()
    }

    /// The text of a compressed file.
    pub(super) fn unpacked(&self, path: &str) -> Option<String> {
        let layers = [self.layers, &[path.to_owned()]].concat();
        String::from_utf8(self.images.read(self.side, &layers, "[unpacked]")?).ok()
    }

    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        self.images.names(self.side, self.layers, folder)
    }
}

/// A checksum in hexadecimal.
pub(super) enum Sum {
    Md5(String),
    Sha1(String),
    Sha256(String),
}

/// Files that the packages of one side brought.
#[derive(Default)]
pub(super) struct Brought {
    /// Checksum of each file, by its path.
    pub(super) sums: HashMap<String, Sum>,
    /// Files whose checksums the database may not have.
    pub(super) files: HashSet<String>,
    /// Folders, which other packages may have, too.
    pub(super) folders: HashSet<String>,
    /// Files of the database itself.
    pub(super) lists: HashSet<String>,
}

impl Brought {
    /// Returns true if one of these packages claims the file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains(path) || self.sums.contains_key(path)
    }
}

/// The rest of the first line that begins so.
pub(super) fn value<'t>(paragraph: &'t str, field: &str) -> Option<&'t str> {
    paragraph.lines().find_map(|line| line.strip_prefix(field))
}

/// A path as it is since /bin, /sbin and /lib are links into /usr.
pub(super) fn merged(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if matches!(first, "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32") {
        format!("usr/{path}")
    } else {
        path.to_owned()
    }
}
