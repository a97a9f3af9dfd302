//! The files of saved inputs.

use std::path::{Path, PathBuf};
use xtask_core::pins::Digest;

/// Cache of approx inside the builder.
pub(crate) const CACHE_GUEST: &str = "/var/cache/approx-derivative-maker";

pub(super) const MANIFEST: &str = "manifest";
pub(super) const OBJECTS: &str = "objects";
pub(super) const IMAGE: &str = "builder-image.tar";

/// Path of an object below `dir`.
pub(super) fn object(dir: &Path, digest: &Digest) -> PathBuf {
    dir.join(OBJECTS).join(&digest.hex()[..2]).join(digest.hex())
}
