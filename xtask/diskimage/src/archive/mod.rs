//! Archives: files one after the other. An archive is read once from end to end, and every member is
//! hashed on the way, so that only members that differ have to be unpacked again.

pub(crate) mod ar;
pub(crate) mod cpio;
mod index;
mod member;
mod same_file;
pub(crate) mod tar;
pub(crate) mod zip;

pub use index::Archive;
