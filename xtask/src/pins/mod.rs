//! The pinned inputs: their types, and the files that hold them.

pub(crate) mod build_sh;
pub(crate) mod conf;
pub(crate) mod env_file;
mod types;

pub(crate) use types::{Commit, Digest, ImageRef, SnapshotStamp};
