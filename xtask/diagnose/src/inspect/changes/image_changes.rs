//! The changes from one image to the other, as data.

use super::boot_lines::BootLineChanges;
use super::files::{self, FileChanges};
use crate::inspect::Contents;
use crate::inspect::roots::Root;
use crate::packages::changes as package_changes;
use anyhow::Result;
use std::collections::BTreeMap;

/// The changes from image A to image B.
pub(super) struct ImageChanges {
    /// Versions by name in A and in B.
    pub(super) packages: [BTreeMap<String, String>; 2],
    /// Name and line of each package that changed.
    pub(super) changed: Vec<(String, String)>,
    pub(super) sizes: Vec<SizePair>,
    pub(super) boot: BootLineChanges,
    /// Files of the system: its root file system.
    pub(super) system: FileChanges,
    /// Files of the image itself: boot loaders, kernels, and file systems as files.
    pub(super) image: FileChanges,
}

/// A size in A and in B, in bytes; `None` where there is no such thing.
pub(super) struct SizePair {
    pub(super) what: String,
    pub(super) a: Option<u64>,
    pub(super) b: Option<u64>,
}

impl ImageChanges {
    /// # Errors
    /// The root file system of an image is damaged.
    pub(super) fn between(a: &Contents, b: &Contents) -> Result<ImageChanges> {
        let packages = [a, b]
            .map(|contents| contents.root().map(|root| root.packages.clone()).unwrap_or_default());
        Ok(ImageChanges {
            changed: package_changes(&packages[0], &packages[1]),
            packages,
            sizes: sizes(a, b),
            boot: BootLineChanges::between(&a.boot, &b.boot),
            system: FileChanges::between(&files::of_system(a)?, &files::of_system(b)?),
            image: FileChanges::between(&files::of_image(a), &files::of_image(b)),
        })
    }

    /// True if nothing changed that is looked at. Sizes alone say nothing.
    pub(super) fn none(&self) -> bool {
        self.changed.is_empty() && self.boot.none() && self.system.none() && self.image.none()
    }
}

/// Sizes of the images, and of what is in them.
fn sizes(a: &Contents, b: &Contents) -> Vec<SizePair> {
    let mut all = vec![SizePair { what: "image".to_owned(), a: Some(a.size), b: Some(b.size) }];
    let [old, new] = [a, b].map(Contents::root);
    let pair = |what: &str, size: fn(&Root) -> u64| SizePair {
        what: what.to_owned(),
        a: old.map(size),
        b: new.map(size),
    };
    all.push(pair("root file system", |root| root.size));
    all.push(pair("root file system, unpacked", |root| root.unpacked));
    let mut initramfs: BTreeMap<&str, [Option<u64>; 2]> = BTreeMap::new();
    for (side, contents) in [a, b].into_iter().enumerate() {
        for root in contents.roots.iter().filter(|root| root.initramfs) {
            initramfs.entry(&root.path).or_default()[side] = Some(root.size);
        }
    }
    all.extend(initramfs.into_iter().map(|(path, [a, b])| SizePair {
        what: format!("initramfs {path}"),
        a,
        b,
    }));
    all
}
