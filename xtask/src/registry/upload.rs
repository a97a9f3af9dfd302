//! Pushes: blobs and manifests go to the registry as they are, so that it serves the digests that were computed here.

use super::{ImageManifest, Registry};
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::failure::Code;
use xtask_core::hash;
use xtask_core::http::{Method, Request};
use xtask_core::pins::Digest;

/// Actions of a push (distribution specification, token scopes).
const PUSH: &str = "pull,push";

impl Registry<'_> {
    /// Uploads a blob, unless the repository has it (OCI distribution specification, "Pushing blobs").
    pub(crate) fn put_blob(&self, digest: &Digest, file: &Path) -> Result<()> {
        let host = &self.address.host;
        let there = Request::new(Method::Head, &self.url("blobs", &digest.to_string()));
        if self.send(&there, PUSH)?.status == 200 {
            return Ok(());
        }
        let uploads = self.url("blobs", "uploads/");
        let begun = self.send(&Request::new(Method::Post, &uploads), PUSH)?;
        if matches!(begun.status, 401 | 403) {
            return Err(Code::NotReady.error(self.refusal("a push", &begun)));
        }
        let begun = begun.expect(&[202])?;
        let place =
            begun.header("Location").context("the registry names no place for the upload")?;
        let place =
            uploads.join(place).with_context(|| format!("{host}: the place for the upload"))?;
        let put = Request::new(Method::Put, &place.query(&[("digest", &digest.to_string())]));
        let put = put.file("application/octet-stream", file);
        drop(self.send(&put, PUSH)?.expect(&[201])?);
        Ok(())
    }

    /// Uploads a manifest whose blobs the repository has, under a tag. Returns it as the registry serves it.
    pub(crate) fn put_manifest(
        &self,
        media_type: &str,
        text: &str,
        tag: &str,
    ) -> Result<ImageManifest> {
        let put = Request::new(Method::Put, &self.url("manifests", tag)).text(media_type, text);
        drop(self.send(&put, PUSH)?.expect(&[200, 201])?);
        let (host, expected, served) = (&self.address.host, hash::text(text), self.manifest(tag)?);
        if served.digest != expected {
            bail!(
                "{host}: tag {}: expected {expected} after the push, found {}: another push may have happened at the \
                 same time; run this command again",
                tag.shown(),
                served.digest
            );
        }
        Ok(served)
    }
}
