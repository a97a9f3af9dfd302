//! Images of containers: an OCI image layout (image-layout.md), as a folder or as a tar, and an archive of `docker save`.
//!
//! In both, files are named by the hash of their content, so that no file of one image has the name of its counterpart
//! in another. Here each blob has the name of its role: `[manifest]`, `[config]`, `[layer 1]`. A hash is believed only if
//! it was computed again; a name that is no such hash stays as it is.

mod json;
mod roles;

use crate::archive::Archive;
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::folder::Folder;
use crate::record::hex;
use crate::source::{Shared, sha256};
use crate::tree::{Content, Kind, Listing, Metadata, Named, Node, Part, Tree, walk};
use crate::unpack::Packing;
use json::JsonView;
use roles::{BLOBS, Blob, JSON, Roles};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

const LAYER: &str = "container image";

/// An image of a container.
pub struct LayeredImage {
    inner: Arc<dyn Tree>,
    members: Vec<ImageMember>,
    /// Numbers of the members by the handles of their nodes.
    by_handle: HashMap<u64, usize>,
    fields: Vec<Field>,
    budget: Arc<Budget>,
}

struct ImageMember {
    name: Vec<u8>,
    node: Node,
    digest: [u8; 32],
    /// The text that is read instead of its own bytes: JSON, a line for each value.
    view: Option<Shared>,
}

/// A file of the archive or folder.
struct StoredFile {
    path: Vec<u8>,
    node: Node,
    digest: [u8; 32],
}

impl LayeredImage {
    /// Opens an archive that is an image of a container; `None`: it is another archive.
    pub(crate) fn of_archive(
        archive: &Arc<Archive>,
        budget: &Arc<Budget>,
    ) -> Result<Option<LayeredImage>> {
        let mut files = Vec::new();
        for (path, node) in archive.list(&archive.root()?)? {
            let digest = archive.digest(&node).unwrap_or_default();
            files.push(StoredFile { path, node, digest });
        }
        LayeredImage::of(archive.clone(), files, budget)
    }

    /// Opens a folder that is an OCI image layout; `None`: it is another folder. Only names and contents of its files
    /// belong to the image.
    pub fn of_folder(path: &Path, budget: &Arc<Budget>) -> Result<Option<LayeredImage>> {
        let is_layout = |name| path.join(name).is_file();
        if !is_layout("oci-layout") || !is_layout("index.json") {
            return Ok(None);
        }
        let folder: Arc<dyn Tree> = Arc::new(Folder::open(path));
        let mut nodes = Vec::new();
        walk(&*folder, &mut |path, node| {
            budget.entries(LAYER, 0, 1)?;
            if node.metadata.kind != Kind::Folder {
                nodes.push((path.to_vec(), node.clone()));
            }
            Ok(())
        })?;
        let mut files = Vec::new();
        for (path, mut node) in nodes {
            let mut digest = [0; 32];
            if node.metadata.kind == Kind::File {
                digest = sha256(&*folder.open(&node)?.source())?;
            }
            let (old, mut bare) = (node.metadata, Metadata::new(Kind::File));
            (bare.kind, bare.size, bare.target) = (old.kind, old.size, old.target);
            node.metadata = bare;
            files.push(StoredFile { path, node, digest });
        }
        LayeredImage::of(folder, files, budget)
    }

    fn of(
        inner: Arc<dyn Tree>,
        files: Vec<StoredFile>,
        budget: &Arc<Budget>,
    ) -> Result<Option<LayeredImage>> {
        let read = |path: &[u8]| -> Option<Vec<u8>> {
            let file = files.iter().find(|file| file.path == path)?;
            let small = file.node.metadata.kind == Kind::File && file.node.metadata.size <= JSON;
            let source = small.then(|| inner.open(&file.node).ok())??.source();
            source.up_to(0, JSON as usize).ok()
        };
        let verified = |path: &[u8], hash: &str| {
            let file = files.iter().find(|file| file.path == path)?;
            (hex(&file.digest) == hash).then_some(file.node.metadata.size)
        };
        let Some(roles) = Roles::of(&read, &verified) else { return Ok(None) };
        let mut blobs = Vec::new();
        for (path, role) in roles.blobs() {
            let Some(file) = files.iter().find(|file| file.path == *path) else { continue };
            let source = inner.open(&file.node)?.source();
            let size = file.node.metadata.size;
            blobs.push(Blob::new(role.clone(), hex(&file.digest), size, source));
        }
        let mut fields = digests(&inner, &blobs);
        let blobs = Arc::new(blobs);
        let mut members = Vec::new();
        for StoredFile { path, node, digest } in files {
            let view = if roles.is_json(&path) && node.metadata.size <= JSON {
                let raw = inner.open(&node)?.source();
                Some(Arc::new(JsonView::new(raw, blobs.clone(), budget.clone())) as Shared)
            } else {
                None
            };
            let name = roles.name(&path);
            members.push((path, ImageMember { name, node, digest, view }));
        }
        if let Some(order) = by_role(&mut members) {
            // hashes may happen to stand in the order of the roles: that follows from the contents, too
            fields.push(Field::new(FieldKind::BlobDigest, "order of the blobs", order));
        }
        let members: Vec<_> = members.into_iter().map(|(_, member)| member).collect();
        let by_handle = members.iter().enumerate().map(|(n, m)| (m.node.handle, n)).collect();
        let budget = budget.clone();
        Ok(Some(LayeredImage { inner, members, by_handle, fields, budget }))
    }

    fn member(&self, node: &Node) -> Result<&ImageMember> {
        let number = self.by_handle.get(&node.handle);
        number
            .and_then(|n| self.members.get(*n))
            .ok_or_else(|| Error::new(LAYER, node.handle, "no such member"))
    }
}

/// The inner fields, and the hashes that name the blobs: each was computed again.
fn digests(inner: &Arc<dyn Tree>, blobs: &[Blob]) -> Vec<Field> {
    let mut fields = inner.fields();
    if !blobs.is_empty() {
        let texts: Vec<_> =
            blobs.iter().map(|blob| format!("{} {}", blob.role, blob.hash)).collect();
        fields.push(Field::new(FieldKind::BlobDigest, "digests", texts.join(", ")));
    }
    fields
}

/// Puts the blobs in the order of their roles, and says in which order they are stored: of their roles, as xtask writes
/// them, or of their hashes, as docker does. In another order they stay.
fn by_role(members: &mut [(Vec<u8>, ImageMember)]) -> Option<&'static str> {
    let is_blob = |path: &[u8]| path.starts_with(BLOBS);
    let blobs = members.iter().filter(|(path, _)| is_blob(path)).count();
    let first = members.iter().position(|(path, _)| is_blob(path))?;
    let together = members.get_mut(first..first + blobs)?;
    if !together.iter().all(|(path, _)| is_blob(path)) {
        return None;
    }
    if together.is_sorted_by(|(_, a), (_, b)| rank(&a.name) <= rank(&b.name)) {
        return Some("of the roles");
    }
    if together.is_sorted_by(|(a, _), (b, _)| a <= b) {
        together.sort_by(|(_, a), (_, b)| rank(&a.name).cmp(&rank(&b.name)));
        return Some("of the hashes");
    }
    None
}

/// Place of a blob by its role.
fn rank(name: &[u8]) -> (usize, usize, &[u8]) {
    let roles = [&b"[config"[..], b"[manifest", b"[layer"];
    let role = roles.iter().position(|role| name.starts_with(role)).unwrap_or(roles.len());
    (role, name.len(), name)
}

impl Tree for LayeredImage {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }

    fn flat(&self) -> bool {
        true
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(u64::MAX))
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        let mut names = Listing::new(LAYER, &self.budget)?;
        for (n, member) in self.members.iter().enumerate() {
            let mut node = Node::new(member.node.metadata.clone(), member.node.handle);
            if member.view.is_some() {
                // unknown, until it is read
                node.metadata.size = 0;
            }
            names.push(n as u64, member.name.clone(), node)?;
        }
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        let member = self.member(file)?;
        match &member.view {
            Some(view) => Ok(Content::Plain(view.clone())),
            None => self.inner.open(&member.node),
        }
    }

    fn digest(&self, file: &Node) -> Option<[u8; 32]> {
        let member = self.member(file).ok()?;
        (member.node.metadata.kind == Kind::File).then_some(member.digest)
    }

    fn whole(&self) -> bool {
        self.inner.whole()
    }

    fn packings(&self) -> Result<Vec<Packing>> {
        self.inner.packings()
    }

    fn parts(&self) -> Result<Vec<Part>> {
        self.inner.parts()
    }
}
