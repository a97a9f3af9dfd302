//! Compresses a stream with all CPUs: every piece of a fixed size is a gzip member of its own (RFC 1952, 2.2), so that
//! the result depends neither on the number of CPUs nor on their order.

use anyhow::{Context as _, Result, anyhow};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use xtask_core::gzip;
use xtask_core::pins::Digest;

/// Bytes of a piece. A change changes the digest of every image.
const PIECE: usize = 1 << 20;
/// Compression level. A change changes the digest of every image, and so may another version of the compressor: a test
/// holds its output.
const LEVEL: u32 = 6;

/// A compressed stream.
pub(super) struct PackedStream {
    /// Hash of the stream before it was compressed.
    pub(super) diff_id: Digest,
    /// Hash and bytes of the compressed stream.
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// Compresses what `fill` writes.
pub(super) fn pack(
    to: impl Write + Send,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<PackedStream> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let (mut pieces, mut packed) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (piece, next) = sync_channel::<Vec<u8>>(2);
            let (done, result) = sync_channel(2);
            scope.spawn(move || compress_all(&next, &done));
            pieces.push(piece);
            packed.push(result);
        }
        let written = scope.spawn(move || write_in_turn(&packed, to));
        let mut stream = PieceWriter {
            piece: Vec::with_capacity(PIECE),
            workers: pieces,
            next: 0,
            hasher: Sha256::new(),
        };
        let filled = fill(&mut stream).and_then(|()| stream.send().context("cannot compress"));
        let diff_id = Digest::from_bytes(&stream.hasher.clone().finalize());
        drop(stream); // the workers end
        let written = written.join().map_err(|_| anyhow!("writing the layer panicked"))?;
        // a full disk fails both; it is the cause
        let (digest, size) = written.context("cannot write the compressed layer")?;
        filled?;
        Ok(PackedStream { diff_id, digest, size })
    })
}

fn compress_all(pieces: &Receiver<Vec<u8>>, done: &SyncSender<io::Result<Vec<u8>>>) {
    for piece in pieces {
        if done.send(gzip::pack(&piece, LEVEL)).is_err() {
            return; // the writer has failed
        }
    }
}

/// Writes the pieces in their order: worker by worker, in turn.
fn write_in_turn(
    workers: &[Receiver<io::Result<Vec<u8>>>],
    mut to: impl Write,
) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut size) = (Sha256::new(), 0);
    for worker in workers.iter().cycle() {
        let Ok(piece) = worker.recv() else { break };
        let piece = piece?;
        hasher.update(&piece);
        size += piece.len() as u64;
        to.write_all(&piece)?;
    }
    to.flush()?;
    Ok((Digest::from_bytes(&hasher.finalize()), size))
}

/// Cuts a stream into pieces and hands them to the workers in turn.
struct PieceWriter {
    piece: Vec<u8>,
    workers: Vec<SyncSender<Vec<u8>>>,
    next: usize,
    hasher: Sha256,
}

impl PieceWriter {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.hasher.update(&piece);
        let worker = &self.workers[self.next];
        self.next = (self.next + 1) % self.workers.len();
        worker.send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..n]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(bytes: &[u8]) -> (PackedStream, Vec<u8>) {
        let mut out = Vec::new();
        let stream = pack(&mut out, |to| Ok(to.write_all(bytes)?)).unwrap();
        (stream, out)
    }

    /// Text that compresses as programs and documents do, the same on every machine.
    fn sample(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        (0..len)
            .map(|n| if n % 7 < 4 { b"etc/silvermetal "[n % 16] } else { next() as u8 })
            .collect()
    }

    #[test]
    fn the_compressors_output_is_known() {
        let (stream, out) = packed(&sample(3 * PIECE + 17));
        assert_eq!(stream.size, out.len() as u64);
        // if another version of the compressor changes this, it changes the digest of every builder image: say so in
        // CHANGELOG.md, and move the pin
        assert_eq!(
            stream.digest.hex(),
            "9b48e551386e744a2b8e0c802c22232cf311fe31c16e875425343859af8fd699"
        );
    }

    #[test]
    fn gzip_unpacks_it() {
        for len in [1, PIECE - 1, PIECE, 5 * PIECE + 3] {
            let bytes = sample(len);
            let (stream, out) = packed(&bytes);
            let mut again = Vec::new();
            io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&out[..]), &mut again)
                .unwrap();
            assert!(again == bytes, "{len}");
            assert_eq!(stream.diff_id, xtask_core::hash::bytes(&bytes));
            assert_eq!(stream.digest, xtask_core::hash::bytes(&out));
        }
    }

    #[test]
    fn a_full_disk_is_the_error_that_is_shown() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let error = pack(full, |to| Ok(to.write_all(&sample(20 * PIECE))?)).err().unwrap();
        assert!(format!("{error:#}").contains("No space left"), "{error:#}");
    }
}
