#![no_main]

use diskimage::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| diskimage_fuzz::read_as(Format::Ext, data));
