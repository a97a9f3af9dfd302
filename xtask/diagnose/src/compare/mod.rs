//! Walks two images at once and tells in what they differ.
//!
//! Each image is read once, nothing goes to disk, and what has equal bytes is never opened: first
//! both files are compared at the same offsets ([`equal::EqualMap`]), by all CPUs; then only layers
//! whose bytes differ are opened, and in a squashfs only blocks whose stored bytes differ are
//! unpacked. Files are compared by a pool of threads; differences come out in the order of the walk.

mod content;
mod equal;
mod pool;
#[cfg(test)]
mod tests;
mod walk;
mod whole;

use crate::difference::{Difference, Place, Side, What};
use anyhow::{Context as _, Result, bail};
use diskimage::source::File;
use diskimage::{Budget, Content, Folder, Shared, Tree};
use equal::EqualMap;
use pool::Pool;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use walk::Walk;

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

/// A place, and the format of the container around it.
#[derive(Clone, Debug)]
struct Spot {
    place: Place,
    layer: &'static str,
}

impl Spot {
    /// The images themselves.
    fn outermost(layer: &'static str) -> Spot {
        Spot { place: Place::default(), layer }
    }

    fn difference(&self, what: What) -> Difference {
        Difference { place: self.place.clone(), layer: self.layer, what }
    }
}

/// A layer that could not be read to its end, and whose.
pub(crate) struct Broken {
    pub(crate) side: Side,
    pub(crate) error: diskimage::Error,
}

/// Says whose error it was.
trait Of<T> {
    fn of(self, side: Side) -> Result<T, Broken>;
}

impl<T> Of<T> for diskimage::Result<T> {
    fn of(self, side: Side) -> Result<T, Broken> {
        self.map_err(|error| Broken { side, error })
    }
}

/// State that all threads share.
struct Shares {
    /// Which bytes of the two files are the same at the same offsets; none: of folders.
    map: Option<EqualMap>,
    /// Stored blocks whose bytes were compared.
    blocks: equal::Blocks,
    budgets: [Arc<Budget>; 2],
    allowance: whole::Allowance,
    entries: Mutex<BTreeMap<&'static str, [u64; 2]>>,
}

impl Shares {
    fn count(&self, layer: &'static str, counts: [usize; 2]) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = entries.entry(layer).or_default();
        sum[0] += counts[0] as u64;
        sum[1] += counts[1] as u64;
    }
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
        _ => bail!("{} and {}: one is a folder, one is not", a.display(), b.display()),
    };
    summary.differences = told;
    Ok(summary)
}

fn files(a: &Path, b: &Path, sink: &mut dyn FnMut(Difference)) -> Result<Summary> {
    let open = |path: &Path| -> Result<Shared> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Arc::new(file))
    };
    let sources = [open(a)?, open(b)?];
    let bytes = [sources[0].size()?, sources[1].size()?];
    let shares = Arc::new(Shares {
        map: Some(EqualMap::new(bytes)),
        blocks: equal::Blocks::default(),
        budgets: bytes.map(Budget::for_size),
        allowance: whole::Allowance::default(),
        entries: Mutex::default(),
    });
    Pool::with(sink, |pool| {
        equal::compare(&shares, &sources, pool)?;
        if shares.map.as_ref().is_some_and(EqualMap::identical) {
            return Ok(());
        }
        let contents = sources.map(Content::Plain);
        Walk::new(shares.clone(), pool).content(&Spot::outermost("file"), &contents)
    })?;
    Ok(summary(&shares, bytes))
}

fn folders(a: &Path, b: &Path, sink: &mut dyn FnMut(Difference)) -> Result<Summary> {
    let trees = [a, b].map(|path| -> Arc<dyn Tree> { Arc::new(Folder::open(path)) });
    // what is on this machine's disk is no bomb, but what its files unpack to may be
    let budget = || Budget::for_size(64 << 30);
    let shares = Arc::new(Shares {
        map: None,
        blocks: equal::Blocks::default(),
        budgets: [budget(), budget()],
        allowance: whole::Allowance::default(),
        entries: Mutex::default(),
    });
    Pool::with(sink, |pool| {
        let read = Walk::new(shares.clone(), pool).trees(&Place::default(), &trees)?;
        read.map_err(|broken| anyhow::anyhow!("cannot compare folders: {}", broken.error))
    })?;
    Ok(summary(&shares, [0, 0]))
}

fn summary(shares: &Shares, bytes: [u64; 2]) -> Summary {
    let entries = shares.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Summary { entries, bytes, differences: 0 }
}
