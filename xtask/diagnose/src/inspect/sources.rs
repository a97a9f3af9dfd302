//! The package sources of an image.

use anyhow::Result;
use diskimage::Tree;
use xtask_core::apt::sources::{self, Source};

/// All enabled sources of an image, in the order in which apt reads them.
pub(super) fn of(tree: &dyn Tree) -> Result<Vec<Source>> {
    let mut files = vec!["etc/apt/sources.list".to_owned()];
    if let Some(folder) = diskimage::find(tree, b"etc/apt/sources.list.d")?
        && folder.metadata.kind == diskimage::Kind::Folder
    {
        let names = tree.list(&folder)?.into_iter();
        files.extend(
            names.map(|(name, _)| {
                format!("etc/apt/sources.list.d/{}", String::from_utf8_lossy(&name))
            }),
        );
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        if let Some(text) = super::text(tree, &file)? {
            found.extend(sources::read(&file, &text));
        }
    }
    Ok(found)
}
