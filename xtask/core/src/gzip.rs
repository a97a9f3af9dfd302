//! gzip, by the program of that name. What it unpacks is bounded, because a small file can hold a huge one.

use crate::exec::Cmd;
use anyhow::{Context as _, Result, bail};

const PROGRAM: &str = "gzip";

/// Packs bytes. The same bytes and the same gzip give the same result.
pub fn pack(bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    run(&["--best", "--no-name", "--stdout"], bytes, &mut |piece| {
        packed.extend_from_slice(piece);
        Ok(())
    })
    .context("cannot pack")?;
    Ok(packed)
}

/// Unpacks at most `most` bytes.
///
/// # Errors
/// The bytes are no complete gzip file, or hold more than `most` bytes.
pub fn unpack(bytes: Vec<u8>, most: u64) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    run(&["--decompress", "--stdout"], bytes, &mut |piece| {
        if (unpacked.len() + piece.len()) as u64 > most {
            bail!("unpacks to more than {most} bytes");
        }
        unpacked.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(unpacked)
}

fn run(
    arguments: &[&str],
    bytes: Vec<u8>,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    // GZIP may hold options
    let cmd = Cmd::new(PROGRAM).args(arguments).env_remove("GZIP").input(bytes);
    let (exit, stderr) = cmd.feed(take)?;
    if !exit.ok() {
        let why = stderr.trim().trim_start_matches("gzip:").trim().trim_start_matches("stdin:");
        bail!("expected a complete gzip file ({})", why.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bytes_unpack_up_to_the_limit() {
        let bytes = b"a line of a manifest\n".repeat(10_000);
        let packed = pack(bytes.clone()).unwrap();
        assert!(packed.len() < bytes.len() / 10);
        assert_eq!(packed, pack(bytes.clone()).unwrap());
        assert_eq!(unpack(packed.clone(), bytes.len() as u64).unwrap(), bytes);
        let error = unpack(packed.clone(), bytes.len() as u64 - 1).unwrap_err().to_string();
        assert_eq!(error, "unpacks to more than 209999 bytes");
        for bad in [&packed[..packed.len() / 2], b"", b"no gzip", &[&packed, &b"tail"[..]].concat()]
        {
            let error = unpack(bad.to_vec(), 1 << 30).unwrap_err().to_string();
            assert!(error.starts_with("expected a complete gzip file"), "{error}");
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        // 256 MiB of zeros, of which gzip makes 260 KiB
        let bomb = pack(vec![0; 256 << 20]).unwrap();
        assert!(bomb.len() < 1 << 20);
        let error = unpack(bomb, 1 << 20).unwrap_err().to_string();
        assert_eq!(error, "unpacks to more than 1048576 bytes");
    }
}
