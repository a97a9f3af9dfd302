//! `inspect A B`: what changed from one image to the other, as people read it: packages, sizes, kernel
//! command lines, and files that came and went. It does not compare contents: `diagnose` does.

mod boot_lines;
mod files;
mod image_changes;
mod report;

use super::Contents;
use anyhow::Result;
use image_changes::ImageChanges;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::failure::Code;
use xtask_core::ui::answer;
use xtask_core::{hash, json};

pub(super) fn command(a: &Path, b: &Path, as_json: bool) -> Result<()> {
    let [old, new] = [read(a)?, read(b)?];
    let changes = ImageChanges::between(&old, &new)?;
    if as_json {
        json::print(&report::json(&changes, [a, b]));
    } else {
        answer(format_args!("{}", report::text(&changes).trim_end()));
        if changes.none() {
            let [(x, _), (y, _)] = hash::both(&old.path, &new.path)?;
            if x != y {
                let [a, b] = [&old, &new].map(|contents| quoted(&contents.path));
                answer(format_args!("but the images differ; next: cargo xtask diagnose {a} {b}"));
            }
        }
    }
    if changes.none() {
        return Ok(());
    }
    let what = if changes.changed.is_empty() { "files or command lines" } else { "packages" };
    Err(Code::No.error(format!("the {what} are not the same")))
}

fn read(path: &Path) -> Result<Contents> {
    let contents = Contents::read(&crate::subject::iso(path)?, None)?;
    anyhow::ensure!(
        contents.root().is_some_and(|root| !root.packages.is_empty()),
        "{}: no package database (var/lib/dpkg/status) in it",
        contents.path.shown()
    );
    Ok(contents)
}
