//! By what an input looks like, as an image is opened.
#![no_main]

use diskimage::source::Bytes;
use diskimage::{Layer, Shared};
use std::sync::Arc;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let budget = diskimage_fuzz::budget();
    let source: Shared = Arc::new(Bytes(data.to_vec()));
    let _error = Layer::of(&source, &budget)
        .and_then(|layer| layer.map_or(Ok(()), |layer| diskimage_fuzz::everything(&*layer.tree())));
});
