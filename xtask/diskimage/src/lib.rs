//! Readers of disk images and of the formats in them. Each layer is a [`Tree`] with entries, fields and
//! parts, which together account for all of its bytes, unless [`Tree::whole`] says otherwise.
//!
//! Images may be hostile, so nothing in them is believed. Every place is checked before it is read,
//! every allocation has a limit that does not come from the image, folders cannot loop, and work and
//! memory are counted ([`Budget`]). An [`Error`] names the layer and the offset in it.
//!
//! Formats are told by their bytes, never by a name ([`Format::of`]). Formats that are recognised but
//! not read have names ([`unread_format`]).

mod archive;
mod budget;
mod container;
mod crc32c;
pub mod disk;
mod dos_time;
mod elf;
mod error;
mod ext;
mod fat;
mod field;
mod folder;
mod gaps;
mod image;
mod iso;
mod pe;
mod ranges;
mod record;
pub mod source;
pub mod squashfs;
mod tree;
pub mod unpack;
mod unread;

pub use archive::Archive;
pub use budget::Budget;
pub use container::LayeredImage;
pub use crc32c::crc32c;
pub use elf::Elf;
pub use error::{Error, Result};
pub use ext::Ext;
pub use fat::Fat;
pub use field::{Field, FieldKind};
pub use folder::Folder;
pub use image::{Format, Image, Layer, open, open_folder};
pub use iso::{CatalogueEntry, Iso};
pub use pe::Pe;
pub use record::{hex, printable};
pub use source::{Shared, Source, sha256};
pub use tree::{
    Content, Kind, Metadata, Named, Node, Part, PartContent, Tree, Walked, find, join, read, walk,
};
pub use unread::unread_format;
