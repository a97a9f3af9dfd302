//! Decompression of single blocks, as in a squashfs, and of whole streams.

pub(crate) mod block;
mod codec;
mod compressed;
pub(crate) mod header;
mod packing;
mod raw;
pub(crate) mod stream;

pub use block::unpack as unpack_block;
pub use codec::Codec;
pub use compressed::Compressed;
pub use packing::Packing;
pub use stream::{Unpacked, codec_of};
