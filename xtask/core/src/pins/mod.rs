//! The pinned inputs: their types, and the files that hold them.

pub mod build_sh;
pub mod conf;
pub mod env_file;
mod types;

pub use types::{Commit, Digest, ImageRef, SnapshotStamp};
