//! An image in an archive of `docker save`: its ids on every kind of image store.
//!
//! Docker's classic store and podman name an image by the hash of its configuration, the containerd image
//! store (the default of Engine 29) by the hash of its manifest or index. An archive that was saved on the one
//! can be loaded on the other, where the same image has another id.

use crate::engine::Client;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Signal, StopBy};
use xtask_core::hash;
use xtask_core::log::Tail;
use xtask_core::pins::Digest;
use xtask_core::step;
use xtask_core::ui::Ui;

/// An image that is to be loaded, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArchivedImage {
    /// Its ids on the different stores; first the one that was recorded when it was saved.
    ids: Vec<String>,
    /// Hashes of its unpacked layers; empty if the archive does not hold the recorded image.
    layers: Vec<String>,
}

impl ArchivedImage {
    /// Reads the small files of the archive. Every id is proved: it is the hash of a file in the archive that
    /// leads to the recorded id or comes from it. An archive that cannot be read has only the recorded id.
    pub(crate) fn read(archive: &Path, recorded: &str) -> ArchivedImage {
        let recorded = prefixed(recorded);
        let unknown = ArchivedImage { ids: vec![recorded.clone()], layers: Vec::new() };
        let Some((mut ids, layers)) = archive.is_file().then(|| ids_and_layers(archive)).flatten()
        else {
            return unknown;
        };
        if !ids.contains(&recorded) {
            return unknown;
        }
        ids.retain(|id| *id != recorded);
        ids.insert(0, recorded);
        ArchivedImage { ids, layers }
    }

    /// Reads an archive that names itself: a normal form. Returns the image, and the digest of its manifest.
    pub(crate) fn normal(archive: &Path) -> Option<(Digest, ArchivedImage)> {
        let (ids, layers) = archive.is_file().then(|| ids_and_layers(archive)).flatten()?;
        let digest = ids.get(1)?.parse().ok()?;
        Some((digest, ArchivedImage { ids, layers }))
    }

    /// The labels in the configuration.
    pub(crate) fn labels(&self, archive: &Path) -> Result<BTreeMap<String, String>> {
        let config = self.ids.iter().filter_map(|id| blob(archive, id));
        let config = config.into_iter().find(|blob| blob["config"]["digest"].is_null());
        let config = config.with_context(|| format!("{} has no configuration", archive.shown()))?;
        let labels = config["config"]["Labels"].as_object().into_iter().flatten();
        Ok(labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect())
    }

    /// Loads the archive of this image into an engine that does not have it. Returns its name there.
    pub(crate) fn load(&self, archive: &Path, client: &Client, ui: &Ui) -> Result<String> {
        if let Some(name) = self.on(client) {
            return Ok(name);
        }
        let (mut tail, mut last) = (Tail::default(), String::new());
        let stop = StopBy::Signal(Signal::TERM);
        let exit = step::stream("load image", &client.load(archive), &stop, ui, |line| {
            tail.push(line);
            line.clone_into(&mut last);
            Ok(())
        })?;
        if !exit.ok() {
            bail!("cannot load the builder image {} ({exit}):{tail}", archive.shown());
        }
        if self.on(client).is_none() {
            self.name_loaded(client, &last)?;
        }
        self.on(client).with_context(|| {
            let id = self.id();
            format!("{} holds another image than its manifest says: expected {id}", archive.shown())
        })
    }

    /// Name of the image on an engine that has it.
    pub(crate) fn on(&self, client: &Client) -> Option<String> {
        let has = |name: &String| client.image_id(name).is_ok_and(|id| id.is_some());
        if let Some(id) = self.ids.iter().find(|id| has(id)) {
            return Some(id.clone());
        }
        let tag = client.local_name(&self.tag());
        (has(&tag) && self.has_layers_of(client, &tag)).then_some(tag)
    }

    /// All names under which an engine may have it.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.ids.iter().cloned().chain([self.tag()])
    }

    /// The id that was recorded when it was saved.
    pub(crate) fn id(&self) -> &str {
        &self.ids[0]
    }

    /// Gives a loaded image a name, if its id on this engine cannot be known before: the containerd image
    /// store makes a manifest of its own for an archive of podman, and of a docker older than 25. `line` is
    /// what the engine said; it says the image's name if the archive has one.
    fn name_loaded(&self, client: &Client, line: &str) -> Result<()> {
        if let Some(name) = loaded(line)
            && self.has_layers_of(client, name)
        {
            client.tag(name, &client.local_name(&self.tag())).read()?;
        }
        Ok(())
    }

    fn has_layers_of(&self, client: &Client, name: &str) -> bool {
        !self.layers.is_empty() && client.layers(name).is_ok_and(|layers| layers == self.layers)
    }

    fn tag(&self) -> String {
        let hex = self.id().trim_start_matches("sha256:");
        format!("silvermetal-inputs:{}", hex.get(..12).unwrap_or(hex))
    }
}

/// The id or the name in the last line of `docker load`.
fn loaded(line: &str) -> Option<&str> {
    let said = ["Loaded image ID: ", "Loaded image: "];
    said.iter().find_map(|said| line.split_once(said)).map(|(_, name)| name.trim())
}

/// podman leaves out the algorithm.
fn prefixed(id: &str) -> String {
    if id.contains(':') { id.to_owned() } else { format!("sha256:{id}") }
}

fn ids_and_layers(archive: &Path) -> Option<(Vec<String>, Vec<String>)> {
    let listed: Value = serde_json::from_slice(&member(archive, "manifest.json")?).ok()?;
    let config_path = listed[0]["Config"].as_str()?;
    let config = member(archive, config_path)?;
    let config_id = hash::bytes(&config).to_string();
    let parsed: Value = serde_json::from_slice(&config).ok()?;
    let layers: Vec<String> = parsed["rootfs"]["diff_ids"]
        .as_array()?
        .iter()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect();
    let mut ids = vec![config_id.clone()];
    ids.extend(manifest_ids(archive, &config_id).unwrap_or_default());
    Some((ids, layers))
}

/// Ids of the manifest that leads to the configuration, and of the index that leads to that manifest. Older
/// archives have none.
fn manifest_ids(archive: &Path, config_id: &str) -> Option<Vec<String>> {
    let index: Value = serde_json::from_slice(&member(archive, "index.json")?).ok()?;
    let top = index["manifests"][0]["digest"].as_str()?.to_owned();
    let entry = blob(archive, &top)?;
    if entry["config"]["digest"] == config_id {
        return Some(vec![top]);
    }
    // an index with one manifest for each platform, and attestations
    let inner = entry["manifests"].as_array()?.iter().find_map(|manifest| {
        let digest = manifest["digest"].as_str()?;
        (blob(archive, digest)?["config"]["digest"] == config_id).then(|| digest.to_owned())
    })?;
    Some(vec![top, inner])
}

/// A blob whose content has this digest.
fn blob(archive: &Path, digest: &str) -> Option<Value> {
    let hex = digest.strip_prefix("sha256:")?;
    let bytes = member(archive, &format!("blobs/sha256/{hex}"))?;
    (hash::bytes(&bytes).to_string() == digest).then(|| serde_json::from_slice(&bytes).ok())?
}

/// Content of a small file of a tar.
fn member(archive: &Path, path: &str) -> Option<Vec<u8>> {
    /// Largest manifest that the OCI distribution specification asks registries to accept, 4 MiB.
    const LARGEST: usize = 4 << 20;
    let cmd = Cmd::new("tar").args(["--extract", "--to-stdout", "--occurrence=1", "--file"]);
    let mut content = Vec::new();
    let read = cmd.arg(archive).args(["--", path]).feed(|piece| {
        anyhow::ensure!(content.len() + piece.len() <= LARGEST, "{path} is too large");
        content.extend_from_slice(piece);
        Ok(())
    });
    read.is_ok_and(|(exit, _)| exit.ok()).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;
    use std::path::PathBuf;

    /// Makes an archive of these files. The test removes it.
    fn archive(name: &str, files: &[(String, String)]) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("silvermetal-{name}-{}", std::process::id()));
        for (path, text) in files {
            fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
            fs::write(dir.join(path), text).unwrap();
        }
        let tar = dir.with_extension("tar");
        let names = files.iter().map(|(path, _)| path);
        Cmd::new("tar").args(["-cf"]).arg(&tar).arg("-C").arg(&dir).args(names).read().unwrap();
        fs::remove_dir_all(dir).unwrap();
        tar
    }

    fn stored(text: &Value) -> (String, (String, String)) {
        let text = text.to_string();
        let id = hash::text(&text).to_string();
        let path = format!("blobs/sha256/{}", id.trim_start_matches("sha256:"));
        (id, (path, text))
    }

    #[test]
    fn an_image_has_an_id_for_each_kind_of_store() {
        let (config, config_file) = stored(&json!({ "rootfs": { "diff_ids": ["sha256:aa"] } }));
        let (manifest, manifest_file) = stored(&json!({ "config": { "digest": config } }));
        let attestation = json!({ "digest": format!("sha256:{}", "e".repeat(64)) });
        let (top, top_file) =
            stored(&json!({ "manifests": [attestation, { "digest": manifest }] }));
        let of = |digest: &str| {
            let index = json!({ "manifests": [{ "digest": digest }] }).to_string();
            ("index.json".to_owned(), index)
        };
        let listed = json!([{ "Config": config_file.0 }]).to_string();
        let base = [("manifest.json".to_owned(), listed), config_file, manifest_file];
        let saved = |name: &str, more: &[(String, String)], recorded: &str| {
            let tar = archive(name, &[&base, more].concat());
            let image = ArchivedImage::read(&tar, recorded);
            fs::remove_file(tar).unwrap();
            image
        };
        // the classic store's, the containerd store's, an index with an attestation, podman's, an old one
        let plain = [of(&manifest)];
        assert_eq!(saved("a", &plain, &config).ids, [&*config, &manifest]);
        assert_eq!(saved("b", &plain, &manifest).ids, [&*manifest, &config]);
        let index = [of(&top), top_file.clone()];
        assert_eq!(saved("c", &index, &top).ids, [&*top, &config, &manifest]);
        let podman = config.trim_start_matches("sha256:");
        assert_eq!(saved("d", &[], podman).ids, [&*config]);
        assert_eq!(saved("e", &[], &config).layers, ["sha256:aa"]);
        // an archive of another image, and one whose index names content that it does not hold
        let other = format!("sha256:{}", "b".repeat(64));
        let foreign = saved("f", &plain, &other);
        assert_eq!((foreign.ids, foreign.layers), (vec![other], vec![]));
        let forged = (top_file.0, top_file.1.replace("manifests", "manifests "));
        let forged = saved("g", &[of(&top), forged], &top);
        assert_eq!((forged.ids, forged.layers), (vec![top], vec![]));
    }

    #[test]
    fn the_engine_says_an_id_or_the_name_that_the_archive_has() {
        assert_eq!(loaded("Loaded image ID: sha256:ab\n"), Some("sha256:ab"));
        assert_eq!(loaded("Loaded image: localhost/x:1"), Some("localhost/x:1"));
        assert_eq!(loaded("Error"), None);
    }

    #[test]
    fn an_archive_that_is_missing_or_no_tar_has_only_the_recorded_id() {
        let of = |path: &Path| ArchivedImage::read(path, "ab").ids;
        assert_eq!(of(Path::new("/nonexistent/builder-image.tar")), ["sha256:ab"]);
        assert_eq!(of(Path::new("/proc/self/status")), ["sha256:ab"]);
    }
}
