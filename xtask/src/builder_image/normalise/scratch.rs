//! Files for what is too large for memory.

use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::path::Path;
use xtask_core::escape::Shown as _;

/// A file in the folder `dir` that disappears when it is closed.
pub(super) fn unnamed_file(dir: &Path) -> Result<File> {
    let path = dir.join(format!(".scratch-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.shown()))?;
    fs::remove_file(&path)?;
    Ok(file)
}
