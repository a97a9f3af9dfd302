//! Versions of Gitea and its runner that the files are written for.

use crate::tree::SourceTree;
pub(crate) use xtask_core::facts::versions::{PATH, Version, Versions};

/// Reads what the tree declares. A file that is missing or not TOML declares nothing.
pub(crate) fn read(tree: &SourceTree) -> Versions {
    tree.source(PATH).map_or_else(Versions::default, |source| Versions::parse(&source.text))
}
