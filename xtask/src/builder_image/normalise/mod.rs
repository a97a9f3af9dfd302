//! Makes a normal form of an image: the same files give the same bytes, whichever engine built the image, when,
//! where and how.
//!
//! The image is an archive of `docker save` or `podman save`. Its normal form is one archive that is an OCI image
//! layout and an archive for `docker load` at once:
//!
//! - one layer: the builders of Docker and podman divide the same steps into layers in different ways
//! - its entries sorted by path, with numbers for owners and groups, and no time later than the epoch
//! - no file that an engine makes in every container for itself
//! - configuration and history of constants and of what the Dockerfile says
//! - compressed by gzip in pieces of a fixed size, so that the number of CPUs changes nothing
//!
//! The normal form of a normal form is the same bytes.

mod config;
mod entries;
mod gzip;
mod layer;
mod merged;
mod saved;
mod scratch;

#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result};
use config::ImageConfig;
use merged::MergedTree;
use saved::SavedImage;
use scratch::unnamed_file;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::hash;
use xtask_core::pins::Digest;

/// Media types (OCI image specification, media-types.md).
pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// The latest time in a normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LatestTime {
    /// Seconds since 1970-01-01 UTC.
    At(u64),
    /// The time of creation that the image's configuration names: that of a normal form is its epoch.
    OfImage,
}

/// Writes the normal form of the archive `saved` to the new file `to`, and returns the digest of its manifest:
/// the digest under which a registry serves the image. An engine that loads it calls it `name`.
///
/// # Errors
/// The archive is damaged, or the image has something that the normal form has no place for. Then there may be an
/// incomplete `to`.
pub(crate) fn normalise(saved: &Path, epoch: LatestTime, name: &str, to: &Path) -> Result<Digest> {
    write(saved, epoch, name, to).with_context(|| format!("cannot normalise {}", saved.shown()))
}

fn write(saved: &Path, epoch: LatestTime, name: &str, to: &Path) -> Result<Digest> {
    let scratch = to.parent().unwrap_or(Path::new("/"));
    let image = SavedImage::open(saved, scratch)?;
    let config = ImageConfig::parse(&image.config)?;
    let epoch = match epoch {
        LatestTime::At(seconds) => seconds,
        LatestTime::OfImage => config.created()?,
    };
    let mut tree = MergedTree::default();
    for (n, section) in image.layers.iter().enumerate() {
        tree.add_layer(section).with_context(|| format!("layer {}", n + 1))?;
    }
    tree.complete()?;

    let mut blob = unnamed_file(scratch)?;
    let packed = gzip::pack(BufWriter::with_capacity(1 << 20, &blob), |stream| {
        layer::write(&tree, epoch, stream)
    })?;
    blob.seek(SeekFrom::Start(0)).context("cannot read the layer again")?;
    let config = config.normal(epoch, &packed.diff_id).to_string();
    let config_digest = hash::text(&config);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, &config_digest, config.len() as u64),
        "layers": [descriptor(LAYER_TYPE, &packed.digest, packed.size)],
    });
    let manifest = manifest.to_string();
    let digest = hash::text(&manifest);
    let mut entry = descriptor(MANIFEST_TYPE, &digest, manifest.len() as u64);
    // the names that docker's image stores read
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    entry["annotations"] = json!({ "io.containerd.image.name": format!("docker.io/library/{name}"), "org.opencontainers.image.ref.name": tag });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry] });
    let listed = json!([{
        "Config": path_of(&config_digest), "RepoTags": [name], "Layers": [path_of(&packed.digest)],
    }]);

    let file = File::create_new(to).with_context(|| format!("cannot write {}", to.shown()))?;
    let mut archive = BufWriter::with_capacity(1 << 20, file);
    let mut small =
        |path: &str, text: &str| member(&mut archive, path, text.len() as u64, text.as_bytes());
    small("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    small("index.json", &index.to_string())?;
    small("manifest.json", &listed.to_string())?;
    small(&path_of(&config_digest), &config)?;
    small(&path_of(&digest), &manifest)?;
    member(&mut archive, &path_of(&packed.digest), packed.size, BufReader::new(blob))?;
    archive.write_all(&[0; 2 * layer::BLOCK])?;
    archive.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(digest)
}

fn descriptor(media_type: &str, digest: &Digest, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": size })
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// One member of the archive.
fn member(archive: &mut impl Write, path: &str, size: u64, mut content: impl Read) -> Result<()> {
    let mut header = layer::header(tar::EntryType::Regular, path.as_bytes());
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    archive.write_all(header.as_bytes())?;
    io::copy(&mut content, archive)?;
    layer::pad(archive, size)
}
