//! gzip. What it unpacks is bounded, because a small file can hold a huge one.

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Read as _, Write as _};

/// The best compression.
pub const BEST: u32 = 9;

/// Packs bytes, without a time or a name. The same bytes, level and version of the compressor give the same result.
pub fn pack(bytes: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::new(level));
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Unpacks at most `most` bytes.
///
/// # Errors
/// The bytes are no complete gzip file, or hold more than `most` bytes.
pub fn unpack(bytes: &[u8], most: u64) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut within = MultiGzDecoder::new(bytes).take(most.saturating_add(1));
    within.read_to_end(&mut unpacked).context("expected a complete gzip file")?;
    if bytes.is_empty() {
        bail!("expected a complete gzip file: it is empty");
    }
    if unpacked.len() as u64 > most {
        bail!("unpacks to more than {most} bytes");
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bytes_unpack_up_to_the_limit() {
        let bytes = b"a line of a manifest\n".repeat(10_000);
        let packed = pack(&bytes, BEST).unwrap();
        assert!(packed.len() < bytes.len() / 10);
        assert_eq!(packed, pack(&bytes, BEST).unwrap());
        assert_eq!(unpack(&packed, bytes.len() as u64).unwrap(), bytes);
        let error = unpack(&packed, bytes.len() as u64 - 1).unwrap_err().to_string();
        assert_eq!(error, "unpacks to more than 209999 bytes");
        for bad in [&packed[..packed.len() / 2], b"", b"no gzip", &[&packed, &b"tail"[..]].concat()]
        {
            let error = unpack(bad, 1 << 30).unwrap_err().to_string();
            assert!(error.starts_with("expected a complete gzip file"), "{error}");
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        // 256 MiB of zeros, of which gzip makes 260 KiB
        let bomb = pack(&vec![0; 256 << 20], BEST).unwrap();
        assert!(bomb.len() < 1 << 20);
        let error = unpack(&bomb, 1 << 20).unwrap_err().to_string();
        assert_eq!(error, "unpacks to more than 1048576 bytes");
    }
}
