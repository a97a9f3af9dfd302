//! `inspect A B`: which packages changed from one image to the other.

use super::Contents;
use crate::packages::changes as package_changes;
use crate::text::printable;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::failure::Code;
use xtask_core::ui::answer;
use xtask_core::{hash, json};

pub(super) fn command(a: &Path, b: &Path, as_json: bool) -> Result<()> {
    let list = |path: &Path| packages(&crate::subject::iso(path)?);
    let (old, new) = (list(a)?, list(b)?);
    let changed = package_changes(&old, &new);
    if as_json {
        json::print(&serde_json::json!({
            "format": "silvermetal-package-changes/1",
            "a": a.to_string_lossy(), "b": b.to_string_lossy(),
            "changes": changed.iter().map(|(name, _)| serde_json::json!({
                "package": name, "a": old.get(name), "b": new.get(name),
            })).collect::<Vec<_>>(),
        }));
    } else if changed.is_empty() {
        answer(format_args!("the same {} packages", old.len()));
        let [a, b] = [crate::subject::iso(a)?, crate::subject::iso(b)?];
        let [(x, _), (y, _)] = hash::both(&a, &b)?;
        if x != y {
            let [a, b] = [a, b].map(|path| quoted(&path));
            answer(format_args!("but the images differ; next: cargo xtask diagnose {a} {b}"));
        }
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

/// The packages of the system in an image.
fn packages(path: &Path) -> Result<BTreeMap<String, String>> {
    let contents = Contents::read(path, None)?;
    let packages = contents.root().map(|root| root.packages.clone()).unwrap_or_default();
    anyhow::ensure!(
        !packages.is_empty(),
        "{}: no package database (var/lib/dpkg/status) in it",
        path.shown()
    );
    Ok(packages)
}
