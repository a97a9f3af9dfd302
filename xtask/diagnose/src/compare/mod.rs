//! Walks two images at once and tells in what they differ.
//!
//! Each image is read once, nothing goes to disk, and what has equal bytes is never opened: first
//! both files are compared at the same offsets ([`equal::EqualMap`]), by all CPUs; then only layers
//! whose bytes differ are opened, and in a squashfs only blocks whose stored bytes differ are
//! unpacked. Files are compared by a pool of threads; differences come out in the order of the walk.

mod allowance;
#[cfg(test)]
mod beside;
mod content;
mod entries;
mod equal;
mod folder_links;
mod inside;
mod names;
mod packings;
mod pool;
mod shares;
mod spot;
mod tails;
#[cfg(test)]
mod tests;
mod walk;
mod whole;

use crate::difference::{Difference, Place};
use allowance::Allowance;
use anyhow::{Context as _, Result, bail};
use diskimage::source::LocalFile;
use diskimage::{Budget, Content, Shared, Tree};
use equal::EqualMap;
use pool::Pool;
use shares::Shares;
use spot::Spot;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use walk::TreeWalk;
use xtask_core::escape::Shown as _;

/// The two images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// By name of the format: how many entries A and B have in all layers of it that were opened.
    pub(crate) entries: BTreeMap<&'static str, [u64; 2]>,
    /// Bytes of A and B; of folders 0.
    pub(crate) bytes: [u64; 2],
    /// Differences that were told.
    pub(crate) differences: u64,
}

/// Tells every difference of two images, or of two folders, in the order of their paths.
pub(crate) fn images(a: &Path, b: &Path, sink: &mut dyn FnMut(Difference)) -> Result<Summary> {
    let mut told = 0;
    let mut sink = |difference: Difference| {
        told += 1;
        sink(difference);
    };
    let mut summary = match (a.is_dir(), b.is_dir()) {
        (true, true) => folders(a, b, &mut sink)?,
        (false, false) => files(a, b, &mut sink)?,
        _ => bail!("{} and {}: one is a folder, one is not", a.shown(), b.shown()),
    };
    summary.differences = told;
    Ok(summary)
}

fn files(a: &Path, b: &Path, sink: &mut dyn FnMut(Difference)) -> Result<Summary> {
    let open = |path: &Path| -> Result<Shared> {
        let file =
            LocalFile::open(path).with_context(|| format!("cannot read {}", path.shown()))?;
        Ok(Arc::new(file))
    };
    let sources = [open(a)?, open(b)?];
    let bytes = [sources[0].size()?, sources[1].size()?];
    let map = Arc::new(EqualMap::new(bytes));
    let shares = Arc::new(Shares {
        map: Some(map.clone()),
        blocks: equal::ComparedBlocks::default(),
        repacked: Mutex::default(),
        budgets: bytes.map(Budget::for_size),
        allowance: Allowance::default(),
        entries: Mutex::default(),
    });
    Pool::with(sink, |pool| {
        equal::compare(&map, &sources, pool)?;
        if map.identical() {
            return Ok(());
        }
        let contents = sources.map(Content::Plain);
        TreeWalk::new(shares.clone(), pool).content(&Spot::outermost("file"), &contents)
    })?;
    Ok(summary(&shares, bytes))
}

fn folders(a: &Path, b: &Path, sink: &mut dyn FnMut(Difference)) -> Result<Summary> {
    let open = |path: &Path| -> Result<Arc<dyn Tree>> {
        diskimage::open_folder(path).with_context(|| format!("cannot read {}", path.shown()))
    };
    let trees = [open(a)?, open(b)?];
    // what is on this machine's disk is no bomb, but what its files unpack to may be
    let budget = || Budget::for_size(64 << 30);
    let shares = Arc::new(Shares {
        map: None,
        blocks: equal::ComparedBlocks::default(),
        repacked: Mutex::default(),
        budgets: [budget(), budget()],
        allowance: Allowance::default(),
        entries: Mutex::default(),
    });
    Pool::with(sink, |pool| {
        let read = TreeWalk::new(shares.clone(), pool).trees(&Place::default(), &trees)?;
        read.map_err(|broken| anyhow::anyhow!("cannot compare folders: {}", broken.error))
    })?;
    Ok(summary(&shares, [0, 0]))
}

fn summary(shares: &Shares, bytes: [u64; 2]) -> Summary {
    let entries = shares.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Summary { entries, bytes, differences: 0 }
}
