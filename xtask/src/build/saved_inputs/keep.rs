//! `--save-inputs`: keeps the package cache and the builder image of a finished build.

use super::layout::{IMAGE, MANIFEST, object};
use super::manifest::{InputsManifest, Object};
use crate::build::records;
use crate::build::{BuildFacts, copy_tree};
use crate::engine::Client;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use walkdir::WalkDir;
use xtask_core::escape::Shown as _;
use xtask_core::hash;
use xtask_core::in_place::part;
use xtask_core::pins::Digest;
use xtask_core::records::published::BuildInfo;
use xtask_core::removal;

/// Files in the cache that approx and the builder write for themselves; they were never served.
const NOTES: [&str; 2] = [".mapping", ".silvermetal"];

/// Moves the files of `cache` to the new folder `dir`, and adds image and manifest. Returns the hash of
/// the manifest.
pub(crate) fn keep(
    facts: &BuildFacts,
    client: &Client,
    cache: &Path,
    dir: &Path,
) -> Result<Digest> {
    fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.shown()))?;
    let mut files = Vec::new();
    for entry in WalkDir::new(cache).sort_by_file_name() {
        let entry = entry.context("cannot list the package cache")?;
        let path = entry.path().strip_prefix(cache)?.to_string_lossy().into_owned();
        let noted = NOTES.iter().any(|note| path.starts_with(note));
        // approx marks a file that its mirror does not have with an empty file
        if !entry.file_type().is_file() || noted || entry.metadata()?.len() == 0 {
            continue;
        }
        let (digest, size) = hash::file(entry.path())?;
        let object = object(dir, &digest);
        if let Some(folder) = object.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.shown()))?;
        }
        fs::rename(entry.path(), &object).with_context(|| format!("cannot keep {path}"))?;
        files.push(Object { digest, size, path });
    }
    let image = facts.image.keep(&facts.repo, client, &dir.join(IMAGE));
    let image = image.context("cannot keep the builder image")?;

    let mut about = records::known_before(facts)
        .into_iter()
        .filter(|(name, _)| *name != "Format")
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<std::collections::BTreeMap<_, _>>();
    let mirror = &facts.mirror.mirror;
    let keyring = match &mirror.keyring {
        Some(path) => {
            let (digest, _) = hash::file(path)?;
            let object = object(dir, &digest);
            fs::create_dir_all(object.parent().unwrap_or(dir))?;
            fs::copy(path, &object).with_context(|| format!("cannot keep {}", path.shown()))?;
            digest.to_string()
        }
        None => "no".to_owned(),
    };
    let security = if mirror.security.is_some() { "yes" } else { "no" };
    for (name, value) in
        [("Builder-Image-Id", image.id.as_str()), ("Security", security), ("Keyring", &keyring)]
    {
        about.insert(name.to_owned(), value.to_owned());
    }
    if let Some(digest) = &image.digest {
        about.insert("Builder-Image-Digest".to_owned(), digest.to_string());
    }
    let submodules = facts.upstream.as_ref().map(|upstream| upstream.revisions.clone());
    let manifest = InputsManifest {
        about: BuildInfo(about),
        submodules: submodules.unwrap_or_default(),
        files,
    };
    let text = manifest.to_text();
    fs::write(dir.join(MANIFEST), &text).context("cannot write the manifest of the inputs")?;
    Ok(hash::text(&text))
}

/// Moves saved inputs to their folder, which appears complete or not at all, even on another disk.
pub(crate) fn put_in_place(from: &Path, to: &Path) -> Result<()> {
    if let Some(above) = to.parent() {
        fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.shown()))?;
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            let part = part(to);
            removal::remove(&part)?; // exists only if an earlier run was killed here
            copy_tree(from, &part)?;
            fs::rename(&part, to)
        }
        other => other,
    }
    .with_context(|| format!("cannot move the kept inputs to {}", to.shown()))
}
