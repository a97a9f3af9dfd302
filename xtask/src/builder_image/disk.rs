//! A builder image as a disk image: the tree that engine vm boots.

use super::kept::KeptImage;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Signal, StopBy};
use xtask_core::lock::lock;
use xtask_core::pins::Digest;
use xtask_core::step;
use xtask_core::ui::Ui;

/// Size of the file system. The file is sparse, and what a build writes goes to another one.
const SIZE: &str = "64G";

/// Makes the disk image `to` from the layer of `kept`, and removes those of other images beside it.
pub(crate) fn make(kept: &KeptImage, to: &Path, ui: &Ui) -> Result<()> {
    let dir = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.shown()))?;
    let file = File::create(dir.with_extension("lock")).context("cannot make a lock")?;
    lock(&file, "another xtask unpacks the builder image")?;
    if to.exists() {
        return Ok(());
    }
    // also what a killed run left
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.shown()))?;
    let work = dir.join("new");
    let made = unpack(kept, &work, ui).and_then(|()| {
        fs::rename(work.join("image"), to).with_context(|| format!("cannot make {}", to.shown()))
    });
    drop(fs::remove_dir_all(&work)); // the next run removes it
    made.context("cannot unpack the builder image")
}

fn unpack(kept: &KeptImage, work: &Path, ui: &Ui) -> Result<()> {
    let blobs = kept.unpack(&work.join("blobs"))?;
    let manifest: Value = serde_json::from_str(&blobs.manifest).context("its manifest")?;
    let layers = manifest["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [layer] = layers else {
        bail!("expected one layer, found {}", layers.len());
    };
    let digest: Digest = layer["digest"].as_str().unwrap_or_default().parse()?;
    let file = blobs.blobs.iter().find(|(name, _)| *name == digest).map(|(_, file)| file);
    let file = file.with_context(|| format!("its layer {digest} is missing"))?;
    let (tree, image) = (work.join("tree"), work.join("image"));
    fs::create_dir(&tree).with_context(|| format!("cannot make {}", tree.shown()))?;
    let stop = StopBy::Signal(Signal::TERM);
    let untar = Cmd::new("tar")
        .args(["--extract", "--gzip", "--numeric-owner", "--same-permissions"])
        .args(["--xattrs", "--xattrs-include=*", "--file"])
        .arg(file)
        .arg("--directory")
        .arg(&tree);
    step::run("unpack image", &untar, &stop, ui)?;
    // tables that are zeroed later, by nobody: the image stays sparse
    let mke2fs = Cmd::new("mke2fs")
        .args(["-q", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d"])
        .args([&tree, &image])
        .arg(SIZE);
    step::run("disk image", &mke2fs, &stop, ui)
}
