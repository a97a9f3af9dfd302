#![no_main]

use layers::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| layers_fuzz::read_as(Format::Tar, data));
