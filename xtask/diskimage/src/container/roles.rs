//! The roles of the blobs of an image, found by the way from its index: manifests, configurations, layers.

use crate::source::Shared;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

/// Bytes of a manifest, index or configuration that is read. The OCI distribution specification asks registries to
/// accept manifests of 4 MiB.
pub(super) const JSON: u64 = 4 << 20;
/// Folder of the blobs in an image layout.
pub(super) const BLOBS: &[u8] = b"blobs/sha256/";
/// Indexes in indexes.
const DEEPEST: usize = 4;

/// A file that has a role.
pub(super) struct Blob {
    /// Its name here.
    pub(super) role: String,
    /// SHA-256 in hexadecimal, computed again.
    pub(super) hash: String,
    pub(super) size: u64,
    pub(super) source: Shared,
    /// SHA-256 of what it unpacks to, once it was asked for.
    pub(super) unpacked: OnceLock<Option<String>>,
}

impl Blob {
    pub(super) fn new(role: String, hash: String, size: u64, source: Shared) -> Blob {
        Blob { role, hash, size, source, unpacked: OnceLock::new() }
    }
}

/// Names of the files of an image.
#[derive(Default)]
pub(super) struct Roles {
    /// Role by path.
    names: BTreeMap<Vec<u8>, String>,
    json: HashSet<Vec<u8>>,
    /// Roles of the layers whose folders are named by an id that no content has (archives of an older docker).
    folders: HashMap<Vec<u8>, String>,
    manifests: usize,
    indexes: usize,
}

/// Content of a small file by its path.
type Read<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;
/// Size of the file at a path, if its hash is this one.
type Verified<'a> = &'a dyn Fn(&[u8], &str) -> Option<u64>;

impl Roles {
    /// The roles in an image of a container; `None`: this is none.
    pub(super) fn of(read: Read<'_>, verified: Verified<'_>) -> Option<Roles> {
        let json = |path: &[u8]| -> Option<Value> { parse(&read(path)?) };
        let index = json(b"index.json").filter(|index| index["manifests"].is_array());
        let index = index.filter(|_| read(b"oci-layout").is_some());
        let listed = json(b"manifest.json").filter(|listed| {
            listed.as_array().is_some_and(|list| list.iter().any(|i| i["Layers"].is_array()))
        });
        if index.is_none() && listed.is_none() {
            return None;
        }
        let mut roles = Roles::default();
        for path in [&b"index.json"[..], b"manifest.json", b"oci-layout", b"repositories"] {
            roles.json.insert(path.to_vec());
        }
        if let Some(index) = &index {
            roles.manifests_of(index, read, verified, 0);
        }
        for (number, image) in listed.iter().flat_map(Value::as_array).flatten().enumerate() {
            roles.listed(number + 1, image, verified);
        }
        Some(roles)
    }

    /// The manifests that an index lists.
    fn manifests_of(
        &mut self,
        index: &Value,
        read: Read<'_>,
        verified: Verified<'_>,
        depth: usize,
    ) {
        for entry in index["manifests"].as_array().into_iter().flatten() {
            let Some(path) = blob(&entry["digest"], verified) else { continue };
            if self.names.contains_key(&path) {
                continue;
            }
            let Some(content) = read(&path).and_then(|bytes| parse(&bytes)) else { continue };
            if content["manifests"].is_array() {
                self.indexes += 1;
                let name = numbered("index", self.indexes);
                self.json.insert(path.clone());
                self.give(path, name);
                if depth < DEEPEST {
                    self.manifests_of(&content, read, verified, depth + 1);
                }
                continue;
            }
            self.manifests += 1;
            let number = self.manifests;
            self.json.insert(path.clone());
            self.give(path, numbered("manifest", number));
            if let Some(path) = blob(&content["config"]["digest"], verified) {
                self.json.insert(path.clone());
                self.give(path, numbered("config", number));
            }
            for (n, layer) in content["layers"].as_array().into_iter().flatten().enumerate() {
                if let Some(path) = blob(&layer["digest"], verified) {
                    self.give(path, layer_name(number, n + 1));
                }
            }
        }
    }

    /// An image in the manifest.json of `docker save`.
    fn listed(&mut self, number: usize, image: &Value, verified: Verified<'_>) {
        if let Some(path) = image["Config"].as_str() {
            self.json.insert(path.as_bytes().to_vec());
            let hash = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
            if verified(path.as_bytes(), hash).is_some() {
                self.give(path.as_bytes().to_vec(), numbered("config", number));
            }
        }
        for (n, layer) in image["Layers"].as_array().into_iter().flatten().enumerate() {
            let Some(path) = layer.as_str() else { continue };
            let name = layer_name(number, n + 1);
            let hash = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".tar");
            if verified(path.as_bytes(), hash).is_some() {
                self.give(path.as_bytes().to_vec(), name);
            } else if let Some(folder) = path.strip_suffix("/layer.tar") {
                // manifest.json names the id
                self.folders.entry(folder.as_bytes().to_vec()).or_insert_with(|| name.clone());
                self.json.insert(format!("{folder}/json").into_bytes());
                self.names.entry(path.as_bytes().to_vec()).or_insert(name);
            }
        }
    }

    fn give(&mut self, path: Vec<u8>, name: String) {
        // an archive may list another image than its index does
        if !self.names.contains_key(&path) && !self.names.values().any(|other| *other == name) {
            self.names.insert(path, name);
        }
    }

    /// Paths and roles of the blobs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = (&Vec<u8>, &String)> {
        self.names.iter()
    }

    pub(super) fn is_json(&self, path: &[u8]) -> bool {
        self.json.contains(path)
    }

    /// The name of a file here: its role, or its path.
    pub(super) fn name(&self, path: &[u8]) -> Vec<u8> {
        if let Some(role) = self.names.get(path) {
            return role.clone().into_bytes();
        }
        let slash = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
        match self.folders.get(&path[..slash]) {
            Some(role) => {
                let folder = role.replacen('[', "[folder of ", 1);
                [folder.as_bytes(), &path[slash..]].concat()
            }
            None => path.to_vec(),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// Path of the blob that a descriptor names, if its hash is the one that the descriptor says.
fn blob(digest: &Value, verified: Verified<'_>) -> Option<Vec<u8>> {
    let hash = digest.as_str()?.strip_prefix("sha256:")?;
    let path = [BLOBS, hash.as_bytes()].concat();
    verified(&path, hash).map(|_| path)
}

fn numbered(role: &str, number: usize) -> String {
    if number == 1 { format!("[{role}]") } else { format!("[{role} {number}]") }
}

fn layer_name(image: usize, number: usize) -> String {
    if image == 1 { format!("[layer {number}]") } else { format!("[layer {image}.{number}]") }
}
