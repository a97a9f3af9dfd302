//! Which bytes are equal, found out once.

use super::pool::Pool;
use super::spot::{Broken, Of as _, Spot};
use crate::difference::Side;
use anyhow::Result;
use diskimage::{Budget, Shared, Source};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use xtask_core::interrupt;

/// Bytes that are known to be equal, or not, together.
const CHUNK: u64 = 64 << 10;

/// Chunks that one thread takes at a time.
const STRIP: u64 = 64;

/// When so many chunks in a row differ, everything behind them has moved, and nothing is learnt.
const HOPELESS: u64 = 512;

/// Pairs of stored blocks that are remembered.
const PAIRS: usize = 1 << 18;

const UNKNOWN: u8 = 0;
const EQUAL: u8 = 1;
const DIFFERS: u8 = 2;

/// Chunks of two files at the same offsets.
pub(super) struct EqualMap {
    chunks: Vec<AtomicU8>,
    sizes: [u64; 2],
    /// Chunks that differed since one was equal.
    run: AtomicU64,
}

impl EqualMap {
    pub(super) fn new(sizes: [u64; 2]) -> EqualMap {
        let chunks = sizes[0].min(sizes[1]).div_ceil(CHUNK);
        EqualMap {
            chunks: (0..chunks).map(|_| AtomicU8::new(UNKNOWN)).collect(),
            sizes,
            run: AtomicU64::new(0),
        }
    }

    pub(super) fn identical(&self) -> bool {
        self.sizes[0] == self.sizes[1]
            && self.chunks.iter().all(|chunk| chunk.load(Ordering::Relaxed) == EQUAL)
    }

    /// Returns true if the chunk that holds `offset` is known to be equal; bytes up to its end.
    fn equal(&self, offset: u64) -> (bool, u64) {
        let chunk = usize::try_from(offset / CHUNK).ok().and_then(|index| self.chunks.get(index));
        let equal = chunk.is_some_and(|chunk| chunk.load(Ordering::Relaxed) == EQUAL);
        (equal, CHUNK - offset % CHUNK)
    }

    /// Returns true if `len` bytes at `offset` are known to be the same in both files.
    pub(super) fn all_equal(&self, offset: u64, len: u64) -> bool {
        let mut at = offset;
        while at < offset.saturating_add(len) {
            let (equal, chunk) = self.equal(at);
            if !equal {
                return false;
            }
            at = at.saturating_add(chunk);
        }
        true
    }

    /// Compares the chunks from `first` on.
    fn strip(&self, sources: &[Shared; 2], first: u64) -> diskimage::Result<()> {
        let size = self.sizes[0].min(self.sizes[1]);
        // one chunk at a time: both stay in the processor's cache
        let mut buffers = [vec![0; CHUNK as usize], vec![0; CHUNK as usize]];
        for index in (first..self.chunks.len() as u64).take(STRIP as usize) {
            let offset = index * CHUNK;
            let len = CHUNK.min(size - offset) as usize;
            let mut read = [0; 2];
            for ((source, buffer), read) in sources.iter().zip(&mut buffers).zip(&mut read) {
                *read = source.read_at(offset, &mut buffer[..len])?;
            }
            if read != [len; 2] {
                // it changed while it was read: nothing is known
                return Ok(());
            }
            let equal = buffers[0][..len] == buffers[1][..len];
            let known = if equal { EQUAL } else { DIFFERS };
            self.chunks[index as usize].store(known, Ordering::Relaxed);
            if equal {
                self.run.store(0, Ordering::Relaxed);
            } else {
                self.run.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// Fills the map of two files.
pub(super) fn compare(
    map: &Arc<EqualMap>,
    sources: &[Shared; 2],
    pool: &mut Pool<'_>,
) -> Result<()> {
    for first in (0..map.chunks.len() as u64).step_by(STRIP as usize) {
        let (map, sources) = (map.clone(), sources.clone());
        pool.spawn(Spot::outermost("file"), STRIP * CHUNK, move || {
            interrupt::check()?;
            if map.run.load(Ordering::Relaxed) < HOPELESS {
                map.strip(&sources, first)?;
            }
            Ok(Vec::new())
        })?;
    }
    pool.drain()
}

/// Results for stored blocks that were compared; many files share one.
#[derive(Default)]
pub(super) struct ComparedBlocks {
    pairs: Mutex<HashMap<[u64; 3], bool>>,
}

impl ComparedBlocks {
    /// Returns true if the blocks at two places are equal; `compare` finds out when nobody has.
    pub(super) fn equal(
        &self,
        places: Option<[u64; 3]>,
        compare: impl FnOnce() -> Result<bool, Broken>,
    ) -> Result<bool, Broken> {
        let Some(key) = places else { return compare() };
        let known = self.pairs.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(equal) = known {
            return Ok(equal);
        }
        let equal = compare()?;
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        if pairs.len() == PAIRS {
            pairs.clear();
        }
        pairs.insert(key, equal);
        Ok(equal)
    }

    /// The places of blocks of one side that are equal to one of the other side.
    pub(super) fn known_equal(&self, side: Side) -> HashSet<u64> {
        let pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let equal = pairs.iter().filter(|(_, equal)| **equal);
        equal.map(|(places, _)| places[side as usize]).collect()
    }
}

/// A part of a source.
pub(super) struct Range<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) offset: u64,
}

/// How far into two ranges of `len` bytes the first difference is; none: they are equal.
pub(super) fn first_difference(
    map: Option<&EqualMap>,
    budgets: &[Arc<Budget>; 2],
    a: &Range<'_>,
    b: &Range<'_>,
    len: u64,
) -> Result<Option<u64>, Broken> {
    let places = [a.source.place(a.offset, len), b.source.place(b.offset, len)];
    let map = match places {
        [Some(a), Some(b)] if a == b => map.map(|map| (map, a)),
        _ => None,
    };
    // no more at a time than stays in the processor's cache
    let most = len.min(2 * CHUNK);
    let mut buffers = [vec![0; most as usize], vec![0; most as usize]];
    let mut at = 0;
    while at < len {
        let mut n = (len - at).min(most);
        if let Some((map, place)) = map {
            let (equal, chunk) = map.equal(place + at);
            if equal {
                at += chunk;
                continue;
            }
            n = n.min(chunk);
        }
        let mut read = [0; 2];
        for (side, range) in [(Side::A, a), (Side::B, b)] {
            budgets[side as usize].unpack("image", range.offset + at, n).of(side)?;
            let buffer = &mut buffers[side as usize][..n as usize];
            read[side as usize] = range.source.read_at(range.offset + at, buffer).of(side)?;
        }
        if let Some(i) = differs_at(&buffers[0][..read[0]], &buffers[1][..read[1]]) {
            return Ok(Some(at + i as u64));
        }
        if (read[0] as u64) < n {
            // both end here, before they should
            return Ok(None);
        }
        at += n;
    }
    Ok(None)
}

/// Index of the first byte that differs, or that one of them lacks.
pub(super) fn differs_at(a: &[u8], b: &[u8]) -> Option<usize> {
    if a == b {
        return None;
    }
    // 256 bytes at a time: comparing slices is far quicker than comparing bytes
    let equal = a.chunks(256).zip(b.chunks(256)).take_while(|(a, b)| a == b).count() * 256;
    let (a, b) = (&a[equal.min(a.len())..], &b[equal.min(b.len())..]);
    Some(equal + a.iter().zip(b).take_while(|(a, b)| a == b).count())
}
