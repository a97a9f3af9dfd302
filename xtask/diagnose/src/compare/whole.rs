//! Contents that differ, read whole on both sides, so that what is told of them holds to their end.

use super::shares::Shares;
use super::spot::{Broken, Of as _, Spot};
use crate::difference::Side;
use crate::edits::{self, Changes, Placed, binary};
use diskimage::{Content, Shared};

/// Bytes of both files together that are read at once. Of larger ones only the pages that differ are.
const LARGEST: u64 = 64 << 20;
/// Bytes that are compared at a time in a large file, and kept around what differs in them.
const PAGE: u64 = 4 << 10;
/// Bytes of a large file's differing pages; beyond, only the first are looked at.
const PAGES: u64 = 8 << 20;

/// The edits between two files that differ first at `first`.
pub(super) fn compare(
    shares: &Shares,
    spot: &Spot,
    contents: &[Content; 2],
    first: u64,
) -> Result<Changes, Broken> {
    let sources = contents.each_ref().map(Content::source);
    let sizes = [sources[0].size().of(Side::A)?, sources[1].size().of(Side::B)?];
    let unread = match diskimage::unread_format(&sources[0]).of(Side::A)? {
        None => diskimage::unread_format(&sources[1]).of(Side::B)?,
        name => name,
    };
    let both = sizes[0].saturating_add(sizes[1]);
    if both > LARGEST {
        let _room = shares.allowance.take(4 * PAGES);
        let mut changes = if sizes[0] == sizes[1] {
            pages(&sources, sizes[0], first)?
        } else {
            let why = "too large to be read at once, and of two lengths".to_owned();
            large(&sources, sizes, first, why)?
        };
        changes.unread = unread;
        return Ok(changes);
    }
    let _room = shares.allowance.take(both);
    let mut bytes = [Vec::new(), Vec::new()];
    let mut places = [Placed::default(); 2];
    for side in [Side::A, Side::B] {
        let (source, size) = (&sources[side as usize], sizes[side as usize]);
        shares.budgets[side as usize].unpack("image", 0, size).of(side)?;
        bytes[side as usize] = source.up_to(0, size as usize).of(side)?;
        if spot.layer == "ISO 9660" {
            // where a boot file says it lies
            let offset = source.place(0, size);
            places[side as usize] = Placed { offset, between_files: spot.is_part };
        }
    }
    let mut changes = edits::between(&bytes[0], &bytes[1], places);
    changes.unread = unread;
    if bytes[0].len() as u64 != sizes[0] || bytes[1].len() as u64 != sizes[1] {
        changes.rest = Some("it ends before its length says".to_owned());
    }
    Ok(changes)
}

/// Files of one length: the pages in which they differ, each with its neighbours.
fn pages(sources: &[Shared; 2], size: u64, first: u64) -> Result<Changes, Broken> {
    let read = |side: Side, from: u64, to: u64| {
        sources[side as usize].up_to(from, (to - from) as usize).of(side)
    };
    // stretches of pages that differ, with a page around them
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    let mut total = 0;
    let mut at = first / PAGE * PAGE;
    while at < size {
        let end = (at + 256 * PAGE).min(size);
        let (a, b) = (read(Side::A, at, end)?, read(Side::B, at, end)?);
        for (i, (x, y)) in a.chunks(PAGE as usize).zip(b.chunks(PAGE as usize)).enumerate() {
            if x == y {
                continue;
            }
            let page = at + i as u64 * PAGE;
            let (from, to) = (page.saturating_sub(PAGE), (page + 2 * PAGE).min(size));
            match stretches.last_mut() {
                Some((_, last)) if *last >= from => *last = to,
                _ => stretches.push((from, to)),
            }
            total += PAGE;
        }
        if total > PAGES {
            return large(sources, [size; 2], first, format!("more than {PAGES} bytes differ"));
        }
        at = end;
    }
    let mut whole: Option<Changes> = None;
    for (from, to) in stretches {
        let (a, b) = (read(Side::A, from, to)?, read(Side::B, from, to)?);
        let mut changes = match from {
            0 => edits::between(&a, &b, Default::default()),
            _ => edits::within(&a, &b),
        };
        match &mut whole {
            Some(whole) => {
                whole.edits.append(&mut changes.edits);
                whole.rest = whole.rest.take().or(changes.rest);
                whole.reordered = whole.reordered.take().or(changes.reordered);
            }
            None => whole = Some(changes),
        }
    }
    match whole {
        Some(mut whole) => {
            whole.sizes = [size; 2];
            Ok(whole)
        }
        None => large(sources, [size; 2], first, "it changed while it was read".to_owned()),
    }
}

/// Files of which only the first difference is shown.
fn large(
    sources: &[Shared; 2],
    sizes: [u64; 2],
    first: u64,
    why: String,
) -> Result<Changes, Broken> {
    let [a, b] =
        [sources[0].up_to(first, 64).of(Side::A)?, sources[1].up_to(first, 64).of(Side::B)?];
    Ok(Changes::unread(sizes, why, binary::excerpt_at(first, &a, &b)))
}
