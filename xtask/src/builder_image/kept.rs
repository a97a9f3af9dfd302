//! The normal form of the image that was built from some inputs, kept in target/: saved inputs, pushes and other
//! engines take it from there.

use super::archive::ArchivedImage;
use crate::engine::Client;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::builder_inputs::Inputs;
use xtask_core::facts::repo::Repo;
use xtask_core::hash;
use xtask_core::lock::lock;
use xtask_core::pins::Digest;
use xtask_core::record_file;
use xtask_core::ui::Ui;

/// A normal form in a file.
#[derive(Clone, Debug)]
pub(crate) struct KeptImage {
    pub(crate) archive: PathBuf,
    /// Digest of its manifest: the one under which a registry serves it.
    pub(crate) digest: Digest,
    image: ArchivedImage,
}

/// The parts of a normal form.
pub(crate) struct Blobs {
    pub(crate) manifest: String,
    /// Layer and configuration: digest, file.
    pub(crate) blobs: Vec<(Digest, PathBuf)>,
}

/// Folder of the normal forms.
pub(crate) fn folder(repo: &Repo) -> PathBuf {
    repo.state().join("builder-image")
}

/// Takes the lock for image builds, because a checkout has one log and one work folder.
pub(crate) fn alone(repo: &Repo) -> Result<File> {
    let path = folder(repo).join("lock");
    let context = || format!("cannot lock {}", path.shown());
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(context)?;
    }
    let file = File::create(&path).with_context(context)?;
    lock(&file, "another xtask builds the builder image").with_context(context)?;
    Ok(file)
}

/// File of the image of these inputs.
pub(crate) fn path(repo: &Repo, inputs: &Inputs) -> PathBuf {
    folder(repo).join(format!("{}.tar", &inputs.digest.hex()[..12]))
}

impl KeptImage {
    /// The image of these inputs, if it was built here.
    pub(crate) fn find(repo: &Repo, inputs: &Inputs) -> Option<KeptImage> {
        KeptImage::read(&path(repo, inputs))
    }

    pub(crate) fn read(archive: &Path) -> Option<KeptImage> {
        let (digest, image) = ArchivedImage::normal(archive)?;
        Some(KeptImage { archive: archive.to_owned(), digest, image })
    }

    /// Returns true if `name` is this image on the engine.
    pub(crate) fn is_called(&self, name: &str, client: &Client) -> Result<bool> {
        let called = client.image_id(name)?;
        let own = self.image.on(client).map(|own| client.image_id(&own)).transpose()?.flatten();
        Ok(called.is_some() && called == own)
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> Result<BTreeMap<String, String>> {
        self.image.labels(&self.archive)
    }

    /// Copies its blobs to files in the new folder `dir`, and checks them.
    pub(crate) fn unpack(&self, dir: &Path) -> Result<Blobs> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.shown()))?;
        let damaged =
            || format!("{} is damaged: remove it, and build the image again", self.archive.shown());
        let file = record_file::open(&self.archive)?;
        let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, file));
        let (mut blobs, mut manifest) = (Vec::new(), None);
        for entry in archive.entries().with_context(damaged)? {
            let mut entry = entry.with_context(damaged)?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(hex) = path.strip_prefix("blobs/sha256/") else { continue };
            let digest: Digest = format!("sha256:{hex}").parse().with_context(damaged)?;
            let to = dir.join(digest.hex());
            let mut blob =
                File::create_new(&to).with_context(|| format!("cannot write {}", to.shown()))?;
            io::copy(&mut entry, &mut blob).with_context(damaged)?;
            let (found, _) = hash::file(&to)?;
            ensure!(found == digest, "{}: expected {digest}, found {found}", damaged());
            if digest == self.digest {
                manifest = Some(record_file::text(&to)?);
            } else {
                blobs.push((digest, to));
            }
        }
        Ok(Blobs { manifest: manifest.with_context(damaged)?, blobs })
    }

    /// Gives the engine this image under `name`.
    pub(crate) fn load(&self, name: &str, client: &Client, ui: &Ui) -> Result<()> {
        let loaded = self.image.load(&self.archive, client, ui)?;
        client.tag(&loaded, name).read().map(drop)
    }
}
