#![no_main]

use diskimage::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| layers_fuzz::read_as(Format::Initramfs, data));
