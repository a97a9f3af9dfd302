//! The compression formats, and the memory that their decoders may take.

/// A compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// DEFLATE: as a stream with gzip's header, as a block with zlib's.
    Gzip,
    /// DEFLATE without any header, as in a zip.
    Deflate,
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
            Codec::Deflate => "deflate",
            Codec::Lzma => "lzma",
            Codec::Lzo => "lzo",
            Codec::Xz => "xz",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
            Codec::Bzip2 => "bzip2",
        }
    }

    /// Most bytes of memory that its decoder keeps.
    pub(super) fn memory(self) -> u64 {
        match self {
            Codec::Xz | Codec::Lzma => XZ_MEMORY,
            Codec::Zstd => ZSTD_WINDOW,
            Codec::Gzip | Codec::Deflate | Codec::Lzo | Codec::Lz4 | Codec::Bzip2 => 8 << 20,
        }
    }
}

/// Bytes of memory of a decoder of xz and lzma; `xz -9` needs 65 MiB.
pub(super) const XZ_MEMORY: u64 = 72 << 20;

/// Bytes that a decoder of zstd may look back, and has to keep; `zstd -22 --ultra` needs 128 MiB.
pub(super) const ZSTD_WINDOW: u64 = 128 << 20;
