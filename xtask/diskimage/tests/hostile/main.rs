//! Images that were made to do harm: small ones that cost hours or gigabytes, and ones that claim
//! something so that bytes are skipped. Work is counted, and memory too, never timed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod archives;
mod disks;
mod fat;
mod iso;
mod local_files;
mod squashfs;
#[path = "../support/mod.rs"]
mod support;

use diskimage::source::Bytes;
use diskimage::{Budget, Error, Kind, Layer, Node, Result, Shared, Tree};
use std::sync::Arc;
use support::disc;
use support::squash::{Claims, NONE, Squash};
use support::{Counted, describe, fixture};

fn shared(bytes: Vec<u8>) -> Shared {
    Arc::new(Bytes(bytes))
}

/// Reads all of an image with the budget of its size, and of the layers in it.
fn read(bytes: Vec<u8>) -> Result<String> {
    let budget = Budget::for_size(bytes.len() as u64);
    describe(&shared(bytes), &budget)
}

/// The same, with a budget that is spent sooner.
fn read_little(bytes: Vec<u8>) -> Result<String> {
    describe(&shared(bytes), &Budget::new(64 << 20, 100_000))
}

fn refused(result: Result<String>, layer: &str, why: &str) -> Error {
    let error = result.expect_err("it was read");
    assert!(error.layer == layer && error.why.contains(why), "{error}");
    error
}

/// The names and entries of the root.
fn root(tree: &dyn Tree) -> Vec<(Vec<u8>, Node)> {
    tree.list(&tree.root().unwrap()).unwrap()
}

fn open(bytes: Vec<u8>) -> Arc<dyn Tree> {
    let budget = Budget::for_size(bytes.len() as u64);
    Layer::of(&shared(bytes), &budget).unwrap().unwrap().tree()
}

/// The bytes of a part.
fn part(tree: &dyn Tree, name: &str) -> Option<Vec<u8>> {
    let part = tree.parts().unwrap().into_iter().find(|part| part.name == name)?;
    let diskimage::PartContent::Bytes(source) = part.what else { panic!("{name} is no bytes") };
    Some(source.up_to(0, 1 << 20).unwrap())
}

/// Offset of `needle` in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}
