//! Two images, each read once, both at the same time.

use anyhow::{Result, anyhow};
use base::hash;
use base::pins::Digest;
use std::path::Path;

/// Hash and size of both files.
pub(super) fn hashes(a: &Path, b: &Path) -> Result<[(Digest, u64); 2]> {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| hash::file(b));
        let first = hash::file(a)?;
        let second = other.join().map_err(|_| anyhow!("hashing {} panicked", b.display()))??;
        Ok([first, second])
    })
}
