//! Two files' bytes: whether they are equal, and if not, what is in them.

use super::equal::{Range, differs_at, first_difference};
use super::shares::Shares;
use super::spot::{Broken, Of as _, Spot};
use super::whole;
use crate::difference::{Difference, DifferenceKind, Side};
use anyhow::Result;
use diskimage::source::Slice;
use diskimage::squashfs::{PackedBlock, PackedFile};
use diskimage::unpack::{self, Codec};
use diskimage::{Content, Format, Layer, PartContent, Shared};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

/// Layers in layers in layers: beyond, nothing is opened.
const DEEPEST: usize = 16;

/// The difference of two files as bytes, which are read to their end on both sides.
pub(super) fn bytes(
    shares: &Shares,
    spot: &Spot,
    contents: &[Content; 2],
    first: u64,
) -> Difference {
    match whole::compare(shares, spot, contents, first) {
        Ok(changes) => spot.difference(DifferenceKind::Content(Box::new(changes))),
        Err(broken) => unreadable(spot, broken),
    }
}

/// Returns true if zeros behind the end mean nothing in the formats of two files, or in a gap of a container.
pub(super) fn has_padding(shares: &Shares, spot: &Spot, contents: &[Content; 2]) -> bool {
    use Format::{Compressed, Disk, Fat, Initramfs, Iso, Squashfs, Tar};
    let padded = |side: Side| {
        let source = contents[side as usize].source();
        let format = Format::of(&source, &shares.budgets[side as usize]);
        matches!(format, Ok(Some(Iso | Squashfs | Fat | Disk | Initramfs | Tar | Compressed(_))))
    };
    let is_gap = spot.is_part && spot.layer != "container image";
    is_gap || (padded(Side::A) && padded(Side::B))
}

/// The lengths of two files, if one is the other one and zeros behind it.
pub(super) fn padded(contents: &[Content; 2], first: u64) -> Result<Option<[u64; 2]>, Broken> {
    let sources = contents.each_ref().map(Content::source);
    let sizes = [sources[0].size().of(Side::A)?, sources[1].size().of(Side::B)?];
    if sizes[0] == sizes[1] || first != sizes[0].min(sizes[1]) {
        return Ok(None);
    }
    let side = if sizes[0] > sizes[1] { Side::A } else { Side::B };
    let mut at = first;
    while at < sizes[side as usize] {
        let bytes = sources[side as usize].up_to(at, 1 << 20).of(side)?;
        if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
            return Ok(None);
        }
        at += bytes.len() as u64;
    }
    Ok(Some(sizes))
}

/// Returns true if a layer at this place is still opened.
pub(super) fn is_opened(spot: &Spot) -> bool {
    spot.place.0.len() < DEEPEST
}

pub(super) fn unreadable(spot: &Spot, broken: Broken) -> Difference {
    let Broken { side, error } = broken;
    let why = format!("{}: {}", error.layer, error.why);
    spot.difference(DifferenceKind::Unreadable { side, offset: error.offset, why })
}

/// The formats of two files, if they hold something that can be compared with each other.
pub(super) fn formats(
    shares: &Shares,
    contents: &[Content; 2],
) -> Result<Option<[Format; 2]>, Broken> {
    let sources = contents.each_ref().map(Content::source);
    let formats = [
        Format::of(&sources[0], &shares.budgets[0]).of(Side::A)?,
        Format::of(&sources[1], &shares.budgets[1]).of(Side::B)?,
    ];
    Ok(match formats {
        [Some(a), Some(b)] if a == b => Some([a, b]),
        // another compressor may have packed the same
        [Some(a @ Format::Compressed(_)), Some(b @ Format::Compressed(_))] => Some([a, b]),
        _ => None,
    })
}

/// Two programs and the layers behind them; `None` if not both have one behind them.
pub(super) fn behind_programs(
    shares: &Shares,
    contents: &[Content; 2],
) -> Result<Option<[[Content; 2]; 2]>, Broken> {
    let mut both = Vec::new();
    for side in [Side::A, Side::B] {
        let source = contents[side as usize].source();
        let budget = &shares.budgets[side as usize];
        // the bytes of a damaged program are compared as any
        let Ok(layer) = Layer::open(Format::Elf, source.clone(), budget) else { return Ok(None) };
        for part in layer.tree().parts().of(side)? {
            if let (Some(end), PartContent::Bytes(behind)) = (part.place, part.what)
                && Format::of(&behind, budget).of(side)?.is_some()
            {
                let program: Shared = Arc::new(Slice::new(source.clone(), 0, end));
                both.push([Content::Plain(program), Content::Plain(behind)]);
            }
        }
    }
    let Ok([[program_a, behind_a], [program_b, behind_b]]) = <[[Content; 2]; 2]>::try_from(both)
    else {
        return Ok(None);
    };
    Ok(Some([[program_a, program_b], [behind_a, behind_b]]))
}

/// How two files are compressed, if both are a compressed stream.
pub(super) fn streams(contents: &[Content; 2]) -> Result<Option<[Codec; 2]>, Broken> {
    let codec = |side: Side| -> Result<Option<Codec>, Broken> {
        let source = contents[side as usize].source();

        Ok(unpack::codec_of(&source.up_to(0, 16).of(side)?))
    };
    Ok(codec(Side::A)?.zip(codec(Side::B)?).map(|(a, b)| [a, b]))
}

/// Opens the layers that two files are.
pub(super) fn open(
    shares: &Shares,
    contents: &[Content; 2],
    formats: [Format; 2],
) -> Result<[Layer; 2], Broken> {
    let [a, b] = contents.each_ref().map(Content::source);
    let [budget_a, budget_b] = &shares.budgets;
    // archives are read to their end here: each side by a thread of its own
    thread::scope(|scope| {
        let b = scope.spawn(move || Layer::open(formats[1], b, budget_b));
        let a = Layer::open(formats[0], a, budget_a).of(Side::A);
        let b = b.join().unwrap_or_else(|panic| resume_unwind(panic)).of(Side::B);
        Ok([a?, b?])
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
    let first = first_difference(shares.map.as_deref(), &shares.budgets, &a, &b, common)?;
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
            // a block with the tails of several files may differ in those of others
            let whole = |block: &PackedBlock| block.skip == 0 && block.len == a.block_size();
            // several files of this machine have no offset in one
            if shares.map.is_some() && whole(&block_a) && whole(&block_b) {
                shares.repacked().extend(start_of(a.image()));
            }
        }
        offset += u64::from(block_a.len);
    }
    Ok((a.len() != b.len()).then_some(a.len().min(b.len())))
}

/// Returns true if two streams differ in the byte at `first` alone: in bits that mean nothing to the one that unpacks
/// them. No compressor leaves another byte there, so that somebody wrote it.
pub(super) fn in_one_byte(
    shares: &Shares,
    streams: &[Content; 2],
    first: u64,
) -> Result<bool, Broken> {
    let sources = streams.each_ref().map(Content::source);
    let sizes = [sources[0].size().of(Side::A)?, sources[1].size().of(Side::B)?];
    if sizes[0] != sizes[1] || first >= sizes[0] {
        return Ok(false);
    }
    let rests = sources.each_ref().map(|source| Range { source: &**source, offset: first + 1 });
    let rest = sizes[0] - first - 1;
    Ok(first_difference(shares.map.as_deref(), &shares.budgets, &rests[0], &rests[1], rest)?
        .is_none())
}

/// Offset in the outermost file of a layer that lies there as it is.
pub(super) fn start_of(layer: &Shared) -> Option<u64> {
    layer.place(0, 1)
}

/// Returns true if two files are known to be equal without reading anything.
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

/// Returns true if two parts of files are stored alike.
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
        Ok(first_difference(shares.map.as_deref(), &shares.budgets, &range_a, &range_b, len)?
            .is_none())
    })
}
