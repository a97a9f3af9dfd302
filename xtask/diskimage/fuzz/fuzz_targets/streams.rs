#![no_main]

use diskimage::Format;
use diskimage::unpack::Codec;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let codecs =
        [Codec::Gzip, Codec::Xz, Codec::Zstd, Codec::Bzip2, Codec::Lz4, Codec::Lzma, Codec::Lzo];
    let codec = codecs[usize::from(*first) % codecs.len()];
    diskimage_fuzz::read_as(Format::Compressed(codec), rest);
});
