//! Snapshot of everything that the readers tell of the images in `fixtures`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use diskimage::source::Bytes;
use diskimage::{Budget, Shared};
use std::sync::Arc;

/// `SNAPSHOTS=overwrite cargo test -p diskimage` writes the snapshot again. Read the changes.
#[test]
fn every_image_holds_what_was_put_in() {
    let mut all = String::new();
    for name in support::FIXTURES {
        let source: Shared = Arc::new(Bytes(support::fixture(name)));
        let text = support::describe(&source, &Budget::for_size(0)).unwrap();
        assert!(!text.is_empty(), "{name} was not recognised");
        all.push_str(&format!("=== {name}\n{text}"));
    }
    let expected = support::fixture_path("listing.txt");
    if std::env::var("SNAPSHOTS").is_ok_and(|mode| mode == "overwrite") {
        std::fs::write(&expected, &all).unwrap();
    }
    let expected = std::fs::read_to_string(expected).unwrap();
    for (line, (found, expected)) in all.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "listing.txt, line {}", line + 1);
    }
    assert_eq!(all.len(), expected.len());
}
