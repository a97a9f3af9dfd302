//! Readers of what a disk image is made of, each format a [`Tree`] of files, a stream, or fields.
//!
//! Images may be hostile. Nothing in them is believed: every place is checked before it is read,
//! every allocation has a limit that doesn't come from the image, folders cannot loop, work is
//! counted ([`Budget`]). An [`Error`] names the layer and the offset in it.

mod archive;
mod budget;
pub mod disk;
mod elf;
mod error;
mod fat;
mod field;
mod folder;
mod gaps;
mod image;
mod iso;
mod record;
pub mod source;
pub mod squashfs;
mod tree;
pub mod unpack;

pub use archive::Archive;
pub use budget::Budget;
pub use elf::Elf;
pub use error::{Error, Result};
pub use fat::Fat;
pub use field::{Field, FieldKind};
pub use folder::Folder;
pub use image::{Format, Image, Layer, open};
pub use iso::{BootEntry, Iso};
pub use record::{hex, printable};
pub use source::{Shared, Source, sha256};
pub use tree::{
    Content, Kind, Metadata, Named, Node, Part, PartContent, Tree, Walked, find, join, read, walk,
};
