//! Bytes that are no image, or the beginning of one, are errors that say where.

use layers::source::Bytes;
use layers::{Budget, Format, Layer, Shared};
use std::sync::Arc;

#[test]
fn a_magic_without_the_rest_is_an_error_with_its_place() {
    for (format, start) in [
        (Format::Squashfs, b"hsqs".to_vec()),
        (Format::Iso, [vec![0; 16 * 2048], b"\x01CD001\x01".to_vec()].concat()),
        (Format::Fat, b"\xeb\x3c\x90".to_vec()),
    ] {
        let source: Shared = Arc::new(Bytes(start));
        let Err(error) = Layer::open(format, source, &Budget::for_size(0)) else {
            panic!("{format:?} opened");
        };
        assert!(error.to_string().contains(" at offset 0x"), "{error}");
        assert!(error.why.contains("wanted"), "{error}");
    }
}
