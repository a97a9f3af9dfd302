//! Blocks that are compressed one by one and whose unpacked size is bounded.

use super::codec::{Codec, XZ_MEMORY};
use liblzma::stream::{Action, Status, Stream};

/// Unpacks a block of at most `limit` bytes. The error is a text; the caller knows the offset.
pub fn unpack(codec: Codec, packed: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let mut out = vec![0; limit];
    let n = match codec {
        Codec::Gzip => zlib(packed, &mut out)?,
        Codec::Xz => lzma(Stream::new_stream_decoder(XZ_MEMORY, 0), packed, &mut out)?,
        Codec::Lzma => lzma(Stream::new_lzma_decoder(XZ_MEMORY), packed, &mut out)?,
        Codec::Lzo => lzo::decompress_into(packed, &mut out).map_err(|error| error.to_string())?,
        Codec::Lz4 => {
            lz4_flex::block::decompress_into(packed, &mut out).map_err(|e| format!("lz4: {e}"))?
        }
        Codec::Zstd => zstd::bulk::decompress_to_buffer(packed, &mut out)
            .map_err(|error| format!("zstd: {error}"))?,
        Codec::Bzip2 | Codec::Deflate => {
            return Err(format!("no block is compressed by {}", codec.name()));
        }
    };
    out.truncate(n);
    Ok(out)
}

fn zlib(packed: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let mut decoder = flate2::Decompress::new(true);
    match decoder.decompress(packed, out, flate2::FlushDecompress::Finish) {
        Ok(flate2::Status::StreamEnd) if decoder.total_in() < packed.len() as u64 => {
            Err("zlib: ends before the block ends".into())
        }
        Ok(flate2::Status::StreamEnd) => Ok(usize::try_from(decoder.total_out()).unwrap_or(0)),
        Ok(_) => Err("zlib: does not end where the block ends".into()),
        Err(error) => Err(format!("zlib: {error}")),
    }
}

fn lzma(
    decoder: Result<Stream, liblzma::stream::Error>,
    packed: &[u8],
    out: &mut [u8],
) -> Result<usize, String> {
    let failed = |error: liblzma::stream::Error| format!("xz: {error}");
    let mut decoder = decoder.map_err(failed)?;
    loop {
        let done = (decoder.total_in(), decoder.total_out());
        let (read, written) = (done.0 as usize, done.1 as usize);
        let status = decoder
            .process(&packed[read..], &mut out[written..], Action::Finish)
            .map_err(failed)?;
        match status {
            Status::StreamEnd if decoder.total_in() < packed.len() as u64 => {
                return Err("xz: ends before the block ends".into());
            }
            Status::StreamEnd => return Ok(decoder.total_out() as usize),
            // the old format need not mark its end
            _ if decoder.total_out() as usize == out.len() && decoder.total_in() > 0 => {
                return Ok(out.len());
            }
            _ if done == (decoder.total_in(), decoder.total_out()) => {
                return Err("xz: does not end where the block ends".into());
            }
            _ => {}
        }
    }
}
