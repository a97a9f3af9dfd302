//! SHA-256 of files and texts.

use crate::escape::Shown as _;
use crate::interrupt;
use crate::pins::Digest;
use crate::record_file;
use anyhow::{Context as _, Result, anyhow};
use sha2::{Digest as _, Sha256};
use std::io::Read;
use std::path::Path;

/// Hash of a regular file, and its size in bytes. The file is read once.
///
/// # Errors
/// A file that cannot be read; an interruption.
pub fn file(path: &Path) -> Result<(Digest, u64)> {
    let mut file = record_file::open(path)?;
    reader(&mut file).with_context(|| format!("cannot read {}", path.shown()))
}

/// Hash and size in bytes of everything that the reader still yields.
pub fn reader(reader: &mut impl Read) -> Result<(Digest, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        interrupt::check()?;
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            return Ok((Digest::from_bytes(&hasher.finalize()), size));
        }
        hasher.update(&buffer[..n]);
        size += n as u64;
    }
}

/// Hashes and sizes of two files, which are read at the same time.
pub fn both(a: &Path, b: &Path) -> Result<[(Digest, u64); 2]> {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| file(b));
        let first = file(a)?;
        let second = other.join().map_err(|_| anyhow!("hashing {} panicked", b.shown()))??;
        Ok([first, second])
    })
}

pub fn bytes(bytes: &[u8]) -> Digest {
    Digest::from_bytes(&Sha256::digest(bytes))
}

pub fn text(text: &str) -> Digest {
    bytes(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(text("abc").hex(), abc);
    }
}
