//! Compressed bytes: single blocks, as squashfs has them, and whole streams.

pub(crate) mod block;
mod header;
mod lzo;
pub(crate) mod stream;

pub use block::unpack as unpack_block;
pub use stream::Unpacked;

use crate::budget::Budget;
use crate::error::Result;
use crate::field::Field;
use crate::source::Shared;
use crate::tree::{Content, Kind, Metadata, Named, Node, Tree};
use std::sync::Arc;

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

/// Name of what a stream unpacks to.
const MEMBER: &[u8] = b"[unpacked]";

/// A compressed file: an archive of one member.
pub struct Compressed {
    raw: Shared,
    unpacked: Arc<Unpacked>,
}

impl Compressed {
    pub fn open(raw: Shared, codec: Codec, budget: Arc<Budget>) -> Compressed {
        let unpacked = Arc::new(Unpacked::new(raw.clone(), codec, 0, budget));
        Compressed { raw, unpacked }
    }

    /// What it unpacks to.
    pub fn unpacked(&self) -> Shared {
        self.unpacked.clone()
    }
}

impl Tree for Compressed {
    fn layer(&self) -> &'static str {
        self.unpacked.codec().name()
    }

    fn fields(&self) -> Vec<Field> {
        header::fields(self.unpacked.codec(), &*self.raw)
    }

    fn flat(&self) -> bool {
        true
    }

    fn root(&self) -> Result<Node> {
        Ok(Node { metadata: Metadata::new(Kind::Folder), handle: 0 })
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        // its size is left out: it is known only when everything is unpacked
        Ok(vec![(MEMBER.to_vec(), Node { metadata: Metadata::new(Kind::File), handle: 1 })])
    }

    fn open(&self, _file: &Node) -> Result<Content> {
        Ok(Content::Plain(self.unpacked.clone()))
    }
}
