//! A compressed stream as bytes that can be read at any offset. Reading backwards unpacks again, from the last stream
//! that begins before: a file of several streams is as good as one that is not compressed.

use super::codec::{Codec, XZ_MEMORY, ZSTD_WINDOW};
use super::header;
use super::raw::{Raw, STEP};
use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::source::{Extents, Shared, Slice, Source};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Unpacked bytes that are kept, so that a reader can go back a little.
const TAIL: usize = 1 << 20;

/// Longest padding between two streams of xz that is skipped, in bytes.
const PADDING: usize = 4096;

/// The bytes with which a stream of each codec begins.
const MAGICS: [(Codec, &[u8]); 6] = [
    (Codec::Gzip, &[0x1f, 0x8b, 8]),
    (Codec::Xz, b"\xfd7zXZ\0"),
    (Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd]),
    (Codec::Bzip2, b"BZh"),
    (Codec::Lz4, &[0x04, 0x22, 0x4d, 0x18]),
    // the older frame, the only one that Linux takes for an initramfs
    (Codec::Lz4, &OLD_LZ4),
];

/// An old lz4 frame: blocks with their lengths, up to the end of the file.
const OLD_LZ4: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// The codec of the stream that begins so.
pub fn codec_of(start: &[u8]) -> Option<Codec> {
    let codec = MAGICS.iter().find(|(_, magic)| start.starts_with(magic)).map(|(codec, _)| *codec);
    // bzip2's magic is three letters, of which texts have many: a level and a block follow
    match codec {
        Some(Codec::Bzip2) => {
            let level = start.get(3).is_some_and(|level| (b'1'..=b'9').contains(level));
            let block = start.get(4..10).is_some_and(|magic| {
                magic == [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]
                    || magic == [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]
            });
            (level && block).then_some(Codec::Bzip2)
        }
        other => other,
    }
}

/// The unpacked bytes of a compressed stream, or of several streams one after the other.
pub struct Unpacked {
    raw: Shared,
    codec: Codec,
    /// Offset in `raw` of the stream.
    start: u64,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The stream that is being read; `None`: before the first.
    part: Option<StreamPart>,
    /// Number of bytes unpacked so far, and the last of them.
    position: u64,
    tail: Vec<u8>,
    /// The end of the stream, once known.
    end: Option<StreamEnd>,
    /// Frames that were skipped so far.
    skipped: Vec<(u64, u64)>,
    /// Offsets and bytes of the headers of streams behind the first.
    headers: Vec<(u64, u64)>,
    /// Streams behind the first.
    further: Vec<FurtherStream>,
    /// The error that ended reading. No decoder is used after its error: bzip2's would abort.
    broken: Option<Error>,
}

/// A stream behind the first, at which reading can begin again.
#[derive(Clone, Copy)]
struct FurtherStream {
    /// Unpacked bytes before it.
    position: u64,
    /// Offset in `raw`.
    start: u64,
    /// How many frames were skipped, and how many headers were found, when it began.
    skipped: usize,
    headers: usize,
}

/// The end of a compressed stream.
#[derive(Clone, Default)]
pub(crate) struct StreamEnd {
    /// Number of unpacked bytes.
    pub(crate) size: u64,
    /// Offset in the compressed bytes.
    pub(crate) raw: u64,
    /// Offsets and bytes of frames that hold no compressed data (RFC 8878, 3.1.2).
    pub(crate) skipped: Vec<(u64, u64)>,
    /// The same of the headers of streams behind the first.
    pub(crate) headers: Vec<(u64, u64)>,
}

impl StreamEnd {
    /// Parts of the compressed bytes that the content and the header of the first stream do not tell.
    pub(crate) fn untold(
        &self,
        raw: &Shared,
        layer: &'static str,
        budget: &Arc<Budget>,
    ) -> Vec<(&'static str, Shared)> {
        let lists =
            [("[skipped frames]", &self.skipped), ("[headers of further streams]", &self.headers)];
        let part = |(name, list): (&'static str, &Vec<(u64, u64)>)| {
            let places = list.iter().map(|(start, len)| (Some(*start), *len));
            let bytes: Shared = Arc::new(Extents::new(raw.clone(), layer, budget.clone(), places));
            (name, bytes)
        };
        lists.into_iter().filter(|(_, list)| !list.is_empty()).map(part).collect()
    }
}

/// One stream of possibly several.
struct StreamPart {
    decoder: Box<dyn Read + Send>,
    /// Memory of what the decoder can look back at.
    history: Held,
    /// Offset in `raw` of its first byte.
    start: u64,
    /// Offset in `raw` that the decoder has reached.
    at: Arc<AtomicU64>,
}

impl Unpacked {
    pub fn new(raw: Shared, codec: Codec, start: u64, budget: Arc<Budget>) -> Unpacked {
        Unpacked { raw, codec, start, budget, state: Mutex::default() }
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the stream. Unpacks everything.
    pub(crate) fn finish(&self) -> Result<StreamEnd> {
        let mut state = self.state();
        loop {
            if let Some(end) = &state.end {
                return Ok(end.clone());
            }
            self.step(&mut state)?;
        }
    }

    /// Unpacks a little more; `false`: the stream has ended.
    fn step(&self, state: &mut State) -> Result<bool> {
        if let Some(error) = &state.broken {
            return Err(error.clone());
        }
        let more = self.advance(state);
        if let Err(error) = &more {
            state.broken = Some(error.clone());
            state.part = None;
        }
        more
    }

    fn advance(&self, state: &mut State) -> Result<bool> {
        if state.end.as_ref().is_some_and(|end| end.size == state.position) {
            return Ok(false);
        }
        let part = match &mut state.part {
            Some(part) => part,
            none => none.insert(self.part(self.start)?),
        };
        let old = state.tail.len();
        state.tail.resize(old + STEP, 0);
        let read = part.decoder.read(&mut state.tail[old..]);
        let n = *read.as_ref().unwrap_or(&0);
        state.tail.truncate(old + n);
        let at = part.at.load(Ordering::Relaxed);
        if let Err(error) = read {
            return Err(self.error(at, &error));
        }
        if n == 0 {
            let at = self.end_of(part.start, at)?;
            match self.another(at, &mut state.skipped)? {
                Some(start) => {
                    let rest = Slice::new(self.raw.clone(), start, u64::MAX - start);
                    let header = header::len(self.codec, &rest);
                    if header > 0 {
                        self.budget.entries(self.codec.name(), start, 1)?;
                        state.headers.push((start, header));
                    }
                    let known = state.further.last().map_or(0, |last| last.start);
                    if start > known {
                        state.further.push(FurtherStream {
                            position: state.position,
                            start,
                            skipped: state.skipped.len(),
                            headers: state.headers.len(),
                        });
                    }
                    state.part = Some(self.part(start)?);
                    return Ok(true); // also if the end is known from an earlier reading
                }
                None => {
                    let skipped = std::mem::take(&mut state.skipped);
                    let headers = std::mem::take(&mut state.headers);
                    // frames behind the last stream are as well
                    let raw = skipped.last().map_or(at, |(start, len)| at.max(start + len));
                    state.end = Some(StreamEnd { size: state.position, raw, skipped, headers });
                }
            }
            return Ok(false);
        }
        self.budget.unpack(self.codec.name(), at, n as u64)?;
        if part.history.bytes() < self.codec.memory() {
            part.history.grow(self.codec.name(), at, n as u64)?;
        }
        state.position += n as u64;
        if state.tail.len() > 2 * TAIL {
            let surplus = state.tail.len() - TAIL;
            state.tail.drain(..surplus);
        }
        Ok(true)
    }

    fn error(&self, at: u64, error: &io::Error) -> Error {
        Error::new(self.codec.name(), at.saturating_sub(self.start), error.to_string())
    }

    /// Offset of the next stream of the same codec behind one that ended at `end`.
    fn another(&self, end: u64, skipped: &mut Vec<(u64, u64)>) -> Result<Option<u64>> {
        let mut at = end;
        if self.codec == Codec::Xz {
            let padding = self.raw.up_to(at, PADDING)?;
            at += padding.iter().take_while(|byte| **byte == 0).count() as u64 / 4 * 4;
        }
        let mut next = self.raw.up_to(at, 16)?;
        while let (Codec::Zstd, Some(len)) = (self.codec, skippable(&next)) {
            self.budget.entries(self.codec.name(), at, 1)?;
            skipped.push((at, 8 + len));
            at += 8 + len;
            next = self.raw.up_to(at, 16)?;
        }
        Ok((codec_of(&next) == Some(self.codec)).then_some(at))
    }

    /// End of the stream that began at `start`; its decoder has read up to `read`.
    ///
    /// The decoder of lz4 looks for the length of another block, and takes fewer than four bytes for the end.
    /// An old frame has no other end, and these bytes are no part of it. A frame of today ends with a mark of
    /// zeros, and perhaps a checksum.
    fn end_of(&self, start: u64, read: u64) -> Result<u64> {
        if self.codec != Codec::Lz4 {
            return Ok(read);
        }
        let head = self.raw.up_to(start, 5)?;
        if !head.starts_with(&OLD_LZ4) {
            let checksum = if head.get(4).is_some_and(|flags| flags & 4 != 0) { 4 } else { 0 };
            let mark = self.raw.up_to(read.saturating_sub(4 + checksum), 4)?;
            let why = "it ends before its end mark";
            return if mark == [0; 4] { Ok(read) } else { Err(Error::new("lz4", read, why)) };
        }
        let mut at = start + 4;
        while let Ok(len) = <[u8; 4]>::try_from(&*self.raw.up_to(at, 4)?) {
            let end = at + 4 + u64::from(u32::from_le_bytes(len));
            if end > read {
                break;
            }
            at = end;
        }
        Ok(at)
    }

    /// Goes back to the last stream that begins before `offset`.
    fn go_back(&self, state: &mut State, offset: u64) -> Result<()> {
        let old = std::mem::take(state);
        let before = old.further.iter().rev().find(|stream| stream.position <= offset).copied();
        state.end = old.end;
        state.further = old.further;
        if let Some(stream) = before {
            state.part = Some(self.part(stream.start)?);
            state.position = stream.position;
            // beyond are those that will be found again
            state.skipped = old.skipped.into_iter().take(stream.skipped).collect();
            state.headers = old.headers.into_iter().take(stream.headers).collect();
        }
        Ok(())
    }

    fn part(&self, start: u64) -> Result<StreamPart> {
        let at = Arc::new(AtomicU64::new(start));
        let raw = Raw::new(self.raw.clone(), at.clone());
        let failed = |error: io::Error| self.error(start, &error);
        let lzma = |stream: std::result::Result<liblzma::stream::Stream, _>| {
            stream.map_err(|error: liblzma::stream::Error| failed(error.into()))
        };
        use liblzma::stream::Stream;
        let decoder: Box<dyn Read + Send> = match self.codec {
            Codec::Gzip => Box::new(flate2::bufread::GzDecoder::new(raw)),
            Codec::Deflate => Box::new(flate2::bufread::DeflateDecoder::new(raw)),
            Codec::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(raw)),
            Codec::Xz => {
                let stream = lzma(Stream::new_stream_decoder(XZ_MEMORY, 0))?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(raw, stream))
            }
            Codec::Lzma => {
                let stream = lzma(Stream::new_lzma_decoder(XZ_MEMORY))?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(raw, stream))
            }
            Codec::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(raw)),
            Codec::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(failed)?;
                let mut decoder = decoder.single_frame();
                decoder.window_log_max(ZSTD_WINDOW.ilog2()).map_err(failed)?;
                Box::new(decoder)
            }
            Codec::Lzo => return Err(failed(io::Error::other("lzop is not read"))),
        };
        Ok(StreamPart { decoder, history: self.budget.hold_decoder(), start, at })
    }
}

/// Bytes of a skippable frame of zstd (RFC 8878, 3.1.2).
fn skippable(start: &[u8]) -> Option<u64> {
    let (magic, len) = (start.get(..4)?, start.get(4..8)?);
    let magic = u32::from_le_bytes(magic.try_into().ok()?);
    let len = u32::from_le_bytes(len.try_into().ok()?);
    (magic & 0xffff_fff0 == 0x184d_2a50).then_some(len.into())
}

impl Source for Unpacked {
    fn size(&self) -> Result<u64> {
        Ok(self.finish()?.size)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let mut state = self.state();
        if offset + (state.tail.len() as u64) < state.position {
            self.go_back(&mut state, offset)?;
        }
        let mut done = 0;
        while done < into.len() {
            let at = offset + done as u64;
            if at < state.position {
                let from = state.tail.len() - (state.position - at) as usize;
                let n = (state.tail.len() - from).min(into.len() - done);
                into[done..done + n].copy_from_slice(&state.tail[from..from + n]);
                done += n;
            } else if !self.step(&mut state)? {
                break;
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::source::Bytes;
    use std::io::Write as _;

    /// The end of a stream of lz4 in its bytes.
    fn end(packed: Vec<u8>) -> Result<u64> {
        let budget = Budget::for_size(packed.len() as u64);
        Unpacked::new(Arc::new(Bytes(packed)), Codec::Lz4, 0, budget).finish().map(|end| end.raw)
    }

    #[test]
    fn bytes_behind_an_old_lz4_frame_are_no_part_of_it() {
        let block = lz4_flex::block::compress(&[7; 1000]);
        let frame = [&OLD_LZ4[..], &(block.len() as u32).to_le_bytes(), &block].concat();
        for more in 0..4 {
            let packed = [&frame[..], &[1; 3][..more]].concat();
            assert_eq!(end(packed).unwrap(), frame.len() as u64, "{more} bytes");
        }
    }

    #[test]
    fn going_back_unpacks_from_the_last_stream_that_begins_before() {
        let pieces: Vec<Vec<u8>> = (0..64_u8).map(|n| vec![n; 1 << 16]).collect();
        let mut packed = Vec::new();
        for piece in &pieces {
            let mut encoder =
                flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
            encoder.write_all(piece).unwrap();
            encoder.finish().unwrap();
        }
        // enough to unpack everything once, and each piece two times more
        let budget = Budget::new((3 * 64) << 16, 1 << 20);
        let stream = Unpacked::new(Arc::new(Bytes(packed)), Codec::Gzip, 0, budget);
        let end = stream.finish().unwrap();
        assert_eq!((end.size, end.headers.len()), (64 << 16, 63));
        for (n, piece) in pieces.iter().enumerate().rev() {
            let mut read = vec![0; 1 << 16];
            assert_eq!(stream.read_at((n as u64) << 16, &mut read).unwrap(), read.len());
            assert!(read == *piece, "piece {n}");
        }
        // the end of one stream is not the end of the content, although that is known now
        let mut across = [0; 200];
        assert_eq!(stream.read_at((1 << 16) - 100, &mut across).unwrap(), across.len());
        assert_eq!((across[99], across[100]), (0, 1));
        assert_eq!(stream.finish().unwrap().headers, end.headers);
    }

    #[test]
    fn an_lz4_frame_without_its_end_mark_is_damaged() {
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        frame.write_all(&[7; 1000]).unwrap();
        let frame = frame.finish().unwrap();
        let len = frame.len();
        assert_eq!(end(frame.clone()).unwrap(), len as u64);
        for gone in 1..=4 {
            assert!(end(frame[..len - gone].to_vec()).is_err(), "{gone} bytes gone");
        }
    }
}
