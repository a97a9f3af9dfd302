//! Two files' bytes: whether they are equal, and if not, what is in them.

use super::equal::{Range, differs_at, first_difference};
use super::walk::Walk;
use super::{Broken, Of as _, Shares, Spot};
use crate::difference::{Difference, Side, What};
use anyhow::Result;
use diskimage::squashfs::{PackedBlock, PackedFile};
use diskimage::{Content, Format, Layer};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use xtask_core::interrupt;

/// Layers in layers in layers: beyond, nothing is opened.
const DEEPEST: usize = 16;

/// All differences of two files' bytes.
pub(super) fn compare(
    shares: &Arc<Shares>,
    spot: &Spot,
    contents: &[Content; 2],
) -> Result<Vec<Difference>> {
    interrupt::check()?;
    match differ(shares, contents) {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(first)) => inside(shares, spot, contents, first),
        Err(broken) => Ok(vec![unreadable(spot, broken)]),
    }
}

/// What differs in two files that differ first at `first`.
pub(super) fn inside(
    shares: &Arc<Shares>,
    spot: &Spot,
    contents: &[Content; 2],
    first: u64,
) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    let mut whole = false;
    if spot.place.0.len() < DEEPEST {
        match open(shares, contents) {
            Ok(Some(layers)) => {
                let trees = layers.each_ref().map(Layer::tree);
                let read =
                    Walk::new(shares.clone(), &mut differences).trees(&spot.place, &trees)?;
                whole = trees[0].whole() && read.is_ok();
                differences.extend(read.err().map(|broken| unreadable(spot, broken)));
            }
            Ok(None) => {}
            Err(broken) => differences.push(unreadable(spot, broken)),
        }
    }
    if !whole || differences.is_empty() {
        differences.push(bytes(shares, spot, contents, first));
    }
    Ok(differences)
}

/// The difference of two files as bytes.
pub(super) fn bytes(
    shares: &Shares,
    spot: &Spot,
    contents: &[Content; 2],
    first: u64,
) -> Difference {
    match shares.samples.take(contents, first) {
        Ok([a, b]) => spot.difference(What::Content { a, b }),
        Err(broken) => unreadable(spot, broken),
    }
}

pub(super) fn unreadable(spot: &Spot, broken: Broken) -> Difference {
    let Broken { side, error } = broken;
    let why = format!("{}: {}", error.layer, error.why);
    spot.difference(What::Unreadable { side, offset: error.offset, why })
}

/// The same layer on both sides, if they are one.
pub(super) fn open(shares: &Shares, contents: &[Content; 2]) -> Result<Option<[Layer; 2]>, Broken> {
    let sources = contents.each_ref().map(Content::source);
    let formats = [
        Format::of(&sources[0], &shares.budgets[0]).of(Side::A)?,
        Format::of(&sources[1], &shares.budgets[1]).of(Side::B)?,
    ];
    let [Some(format), Some(other)] = formats else { return Ok(None) };
    if format != other {
        return Ok(None);
    }
    let [a, b] = sources;
    let [budget_a, budget_b] = &shares.budgets;
    // archives are read to their end here: each side by a thread of its own
    thread::scope(|scope| {
        let b = scope.spawn(move || Layer::open(format, b, budget_b));
        let a = Layer::open(format, a, budget_a).of(Side::A);
        let b = b.join().unwrap_or_else(|panic| resume_unwind(panic)).of(Side::B);
        Ok(Some([a?, b?]))
    })
}

/// Offset of the first byte in which two files differ; none: they are equal.
pub(super) fn differ(shares: &Shares, contents: &[Content; 2]) -> Result<Option<u64>, Broken> {
    if let [Content::Packed(a), Content::Packed(b)] = contents
        && a.codec() == b.codec()
        && a.block_size() == b.block_size()
    {
        return packed(shares, a, b);
    }
    let sources = contents.each_ref().map(Content::source);
    let sizes = [sources[0].size().of(Side::A)?, sources[1].size().of(Side::B)?];
    let [a, b] = sources.each_ref().map(|source| Range { source: &**source, offset: 0 });
    let common = sizes[0].min(sizes[1]);
    let first = first_difference(shares, &a, &b, common)?;
    Ok(first.or((sizes[0] != sizes[1]).then_some(common)))
}

/// The same of files in squashfs, block by block; only blocks whose stored bytes differ are unpacked.
fn packed(shares: &Shares, a: &PackedFile, b: &PackedFile) -> Result<Option<u64>, Broken> {
    let mut offset = 0;
    let mut unpacked = [Vec::new(), Vec::new()];
    for (block_a, block_b) in a.blocks().zip(b.blocks()) {
        let (block_a, block_b) = (block_a.of(Side::A)?, block_b.of(Side::B)?);
        if !same_stored(shares, a, &block_a, b, &block_b)? {
            a.unpack(&block_a, &mut unpacked[0]).of(Side::A)?;
            b.unpack(&block_b, &mut unpacked[1]).of(Side::B)?;
            if let Some(i) = differs_at(&unpacked[0], &unpacked[1]) {
                return Ok(Some(offset + i as u64));
            }
        }
        offset += u64::from(block_a.len);
    }
    Ok((a.len() != b.len()).then_some(a.len().min(b.len())))
}

/// Whether two files are known to be equal without reading anything.
pub(super) fn known_equal(shares: &Shares, contents: &[Content; 2]) -> bool {
    let Some(map) = &shares.map else { return false };
    let [a, b] = contents;
    match (a, b) {
        (Content::Packed(a), Content::Packed(b)) => {
            if (a.codec(), a.block_size(), a.len()) != (b.codec(), b.block_size(), b.len()) {
                return false;
            }
            a.blocks().zip(b.blocks()).all(|blocks| match blocks {
                (Ok(a_block), Ok(b_block)) if a_block == b_block => {
                    a_block.stored.is_none_or(|stored| {
                        let len = u64::from(stored.len);
                        let place = a.image().place(stored.offset, len);
                        place.is_some_and(|at| map.all_equal(at, len))
                            && place == b.image().place(stored.offset, len)
                    })
                }
                _ => false,
            })
        }
        (Content::Plain(a), Content::Plain(b)) => {
            let (Ok(len), Ok(other)) = (a.size(), b.size()) else { return false };
            let place = a.place(0, len);
            len == other
                && place.is_some_and(|at| map.all_equal(at, len))
                && place == b.place(0, len)
        }
        _ => false,
    }
}

/// Whether two parts of files are stored alike.
fn same_stored(
    shares: &Shares,
    a: &PackedFile,
    block_a: &PackedBlock,
    b: &PackedFile,
    block_b: &PackedBlock,
) -> Result<bool, Broken> {
    if (block_a.len, block_a.skip) != (block_b.len, block_b.skip) {
        return Ok(false);
    }
    let (stored_a, stored_b) = match (block_a.stored, block_b.stored) {
        (None, None) => return Ok(true),
        (Some(a), Some(b)) if (a.len, a.packed) == (b.len, b.packed) => (a, b),
        _ => return Ok(false),
    };
    let len = u64::from(stored_a.len);
    let range_a = Range { source: &**a.image(), offset: stored_a.offset };
    let range_b = Range { source: &**b.image(), offset: stored_b.offset };
    let places = (range_a.source.place(stored_a.offset, len))
        .zip(range_b.source.place(stored_b.offset, len));
    shares.blocks.equal(places.map(|(a, b)| [a, b, len]), || {
        Ok(first_difference(shares, &range_a, &range_b, len)?.is_none())
    })
}
