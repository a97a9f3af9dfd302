#![no_main]

use diskimage::unpack::{Codec, unpack_block};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _error = unpack_block(Codec::Lzo, data, 1 << 16);
});
