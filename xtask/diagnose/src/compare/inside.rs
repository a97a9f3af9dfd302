//! Two files' bytes, and the layers in them.

use super::content::{self, unreadable};
use super::packings::STREAM;
use super::shares::Shares;
use super::spot::{Of as _, Spot};
use super::walk::{Stop, TreeWalk};
use crate::difference::{Difference, DifferenceKind, Side};
use crate::edits::Changes;
use anyhow::Result;
use diskimage::{Content, Field, FieldKind, Format, Layer, Tree};
use std::sync::Arc;
use xtask_core::interrupt;

/// Files from this many bytes on, if they are a layer, are walked here, so that all threads share
/// their files; smaller ones are one thread's work.
const LARGE: u64 = 4 << 20;

impl TreeWalk<'_> {
    /// Two files' bytes, and whatever is in them.
    pub(super) fn content(&mut self, spot: &Spot, contents: &[Content; 2]) -> Result<()> {
        interrupt::check()?;
        let broken = match self.inside(spot, contents) {
            Ok(()) => return Ok(()),
            Err(Stop::Fatal(error)) => return Err(error),
            Err(Stop::Broken(broken)) => broken,
        };
        self.out.tell(vec![unreadable(spot, broken)])
    }

    fn inside(&mut self, spot: &Spot, contents: &[Content; 2]) -> Result<(), Stop> {
        let Some(first) = content::differ(&self.shares, contents)? else { return Ok(()) };
        if content::has_padding(&self.shares, spot, contents)
            && let Some(sizes) = content::padded(contents, first)?
        {
            let padding = DifferenceKind::Content(Box::new(Changes::padding(sizes)));
            self.out.tell(vec![spot.difference(padding)])?;
            return Ok(());
        }
        let mut formats = None;
        if content::is_opened(spot) {
            match content::formats(&self.shares, contents) {
                Ok(found) => formats = found,
                Err(broken) => self.out.tell(vec![unreadable(spot, broken)])?,
            }
        }
        if let Some(formats) = formats
            && self.layers(spot, contents, formats)?
        {
            return Ok(());
        }
        self.out.tell(vec![content::bytes(&self.shares, spot, contents, first)])?;
        Ok(())
    }

    /// Two files that are layers. Returns true if that told everything, so that their bytes need not be told.
    fn layers(
        &mut self,
        spot: &Spot,
        contents: &[Content; 2],
        formats: [Format; 2],
    ) -> Result<bool, Stop> {
        if formats == [Format::Elf; 2] {
            return self.programs(spot, contents);
        }
        let before = self.out.told()?;
        let layers = match content::open(&self.shares, contents, formats) {
            Ok(layers) => layers,
            Err(broken) => {
                self.out.tell(vec![unreadable(spot, broken)])?;
                return Ok(false);
            }
        };
        let trees = layers.each_ref().map(Layer::tree);
        if let Err(broken) = self.trees(&spot.place, &trees)? {
            self.out.tell(vec![unreadable(spot, broken)])?;
            return Ok(false);
        }
        if !trees.iter().all(|tree| tree.whole()) {
            return Ok(false);
        }
        if self.out.told()? > before {
            self.packings(spot, &trees)?;
            if formats[0] == Format::Squashfs
                && self.is_repacked(contents)
                && settings(&trees[0]) == settings(&trees[1])
            {
                self.out.tell(vec![repacked(spot, contents, &trees)?])?;
            }
            return Ok(true);
        }
        match (formats, content::streams(contents)?) {
            // members are equal, and what is said of them, too; are all bytes?
            ([Format::Initramfs, _], Some(streams)) => {
                return self.layers(spot, contents, streams.map(Format::Compressed));
            }
            ([Format::Squashfs | Format::Compressed(_), _], _) => {}
            _ => return Ok(false),
        }
        if let ([Format::Compressed(_), _], Some(first)) =
            (formats, content::differ(&self.shares, contents)?)
            && content::in_one_byte(&self.shares, contents, first)?
        {
            let here = Spot::new(spot.place.join(STREAM), spot.layer);
            self.out.tell(vec![content::bytes(&self.shares, &here, contents, first)])?;
            return Ok(true);
        }
        self.out.tell(vec![repacked(spot, contents, &trees)?])?;
        Ok(true)
    }

    /// Returns true if blocks of the squashfs hold one content, packed otherwise.
    fn is_repacked(&self, contents: &[Content; 2]) -> bool {
        let source = contents[0].source();
        content::start_of(&source).is_some_and(|start| self.shares.repacked().contains(&start))
    }

    /// Two programs with a layer behind each, as an AppImage has it: the program and the layer are
    /// compared apart. Returns true if that told everything.
    fn programs(&mut self, spot: &Spot, contents: &[Content; 2]) -> Result<bool, Stop> {
        let Some([programs, layers]) = content::behind_programs(&self.shares, contents)? else {
            return Ok(false);
        };
        let inner = |name: &str| Spot::new(spot.place.join(name), "ELF");
        if let Some(first) = content::differ(&self.shares, &programs)? {
            let here = inner("[program]");
            self.out.tell(vec![content::bytes(&self.shares, &here, &programs, first)])?;
        }
        self.file(inner("[behind the program]"), layers)?;
        Ok(true)
    }

    pub(super) fn file(&mut self, spot: Spot, contents: [Content; 2]) -> Result<(), Stop> {
        if content::known_equal(&self.shares, &contents) {
            return Ok(());
        }
        if self.out.shares_out() && is_large_layer(&self.shares, &contents) {
            return Ok(self.content(&spot, &contents)?);
        }
        Ok(self.out.files(&self.shares, spot, contents)?)
    }
}

/// The compressor of a squashfs, and its settings: with other ones all blocks are packed otherwise.
fn settings(tree: &Arc<dyn Tree>) -> Vec<Field> {
    let mut fields = tree.fields();
    fields.retain(|field| field.kind == FieldKind::Compressor);
    fields
}

/// The difference of two layers in which nothing else differs, or blocks of one content.
fn repacked(
    spot: &Spot,
    contents: &[Content; 2],
    trees: &[Arc<dyn Tree>; 2],
) -> Result<Difference, Stop> {
    let sources = contents.each_ref().map(Content::source);
    let sizes = [sources[0].size().of(Side::A)?, sources[1].size().of(Side::B)?];
    Ok(spot.difference(DifferenceKind::Repacked { format: trees[0].layer(), sizes }))
}

/// Returns true if all threads should share what is in two files.
fn is_large_layer(shares: &Shares, contents: &[Content; 2]) -> bool {
    contents.iter().zip(&shares.budgets).all(|(content, budget)| {
        let source = content.source();
        source.size().is_ok_and(|size| size >= LARGE)
            && matches!(Format::of(&source, budget), Ok(Some(format)) if format.is_file_system())
    })
}
