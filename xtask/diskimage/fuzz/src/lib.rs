//! Reads every field, name, byte and part of a fuzzer's input, within bounds.

use diskimage::source::Bytes;
use diskimage::{Budget, Format, Kind, Layer, PartContent, Result, Shared, Tree};
use std::sync::Arc;

/// The budget of one input. When it is spent the reader returns an error.
pub fn budget() -> Arc<Budget> {
    Budget::new(16 << 20, 2000)
}

/// Reads an input as an image of `format`, whatever it looks like.
pub fn read_as(format: Format, data: &[u8]) {
    let budget = budget();
    let source: Shared = Arc::new(Bytes(data.to_vec()));
    let _error = Layer::open(format, source, &budget).and_then(|layer| everything(&*layer.tree()));
}

/// Every field, name, byte and part of a layer.
pub fn everything(tree: &dyn Tree) -> Result<()> {
    let _fields = tree.fields();
    diskimage::walk(tree, &mut |_, node| {
        if node.metadata.kind == Kind::File {
            diskimage::sha256(&*tree.open(node)?.source())?;
        }
        Ok(())
    })?;
    for part in tree.parts()? {
        match part.what {
            PartContent::Bytes(source) => {
                diskimage::sha256(&*source)?;
            }
            PartContent::Tree(tree) => everything(&*tree)?,
            PartContent::SharedBlocks(blocks) => {
                for mut block in blocks {
                    block.rest()?;
                }
            }
        }
    }
    Ok(())
}
