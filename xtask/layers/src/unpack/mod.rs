//! Compressed bytes: single blocks, as squashfs has them, and whole streams.

pub(crate) mod block;
mod lzo;

/// Whose compression it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// DEFLATE; as a stream with gzip's header, as a block with zlib's.
    Gzip,
    /// `.lzma` as before xz.
    Lzma,
    Lzo,
    Xz,
    Lz4,
    Zstd,
    Bzip2,
}

impl Codec {
    pub fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Lzma => "lzma",
            Codec::Lzo => "lzo",
            Codec::Xz => "xz",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
            Codec::Bzip2 => "bzip2",
        }
    }
}

/// Bytes that a decoder may look back, which it has to keep in memory: `xz -9` needs 64 MiB.
pub(crate) const HISTORY: u64 = 64 << 20;
