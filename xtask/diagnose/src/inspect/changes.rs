//! `inspect A B`: which packages changed from one image to the other.

use crate::packages::{changes as package_changes, versions};
use crate::text::printable;
use anyhow::{Context as _, Result};
use diskimage::{Kind, Layer};
use std::collections::BTreeMap;
use std::path::Path;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::ui::answer;

pub(super) fn command(a: &Path, b: &Path, json: bool) -> Result<()> {
    let list = |path: &Path| packages(&crate::subject::iso(path)?).or_exit(Code::Failed);
    let (old, new) = (list(a)?, list(b)?);
    let changed = package_changes(&old, &new);
    if json {
        let value = serde_json::json!({
            "format": "silvermetal-package-changes/1",
            "a": a, "b": b,
            "changes": changed.iter().map(|(name, _)| serde_json::json!({
                "package": name, "a": old.get(name), "b": new.get(name),
            })).collect::<Vec<_>>(),
        });
        answer(format_args!("{value:#}"));
    } else if changed.is_empty() {
        answer(format_args!("the same {} packages", old.len()));
    } else {
        answer(format_args!("{} of {} packages changed", changed.len(), old.len()));
        for (_, line) in &changed {
            answer(format_args!("  {}", printable(line)));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(Code::No.error("the packages are not the same"))
}

/// The packages of an image: out of the first squashfs that has a package database.
fn packages(path: &Path) -> Result<BTreeMap<String, String>> {
    let image = diskimage::open(path).with_context(|| path.display().to_string())?;
    let outer = image.layer.tree();
    let mut trees = vec![outer.clone()];
    if matches!(image.layer, Layer::Iso(_)) {
        let mut files = Vec::new();
        diskimage::walk(&*outer, &mut |path, node| {
            if node.metadata.kind == Kind::File
                && (path.ends_with(b".squashfs") || path.ends_with(b".sfs"))
            {
                files.push(node.clone());
            }
            Ok(())
        })?;
        for node in files {
            let source = outer.open(&node)?.source();
            trees.extend(Layer::of(&source, &image.budget)?.map(|layer| layer.tree()));
        }
    }
    for tree in trees {
        if let Some(status) = super::text(&*tree, "var/lib/dpkg/status")? {
            return Ok(versions(&status));
        }
    }
    anyhow::bail!("{}: no package database (var/lib/dpkg/status) in it", path.display())
}
