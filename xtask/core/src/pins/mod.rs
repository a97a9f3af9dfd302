//! The pinned inputs: their types, and the files that hold them.

pub mod build_sh;
pub mod conf;
pub mod env_file;
mod types;

/// `PATH:LINE: what`, or `PATH: what` for line 0, which means the whole file.
fn at_line(path: &std::path::Path, line: usize, what: &str) -> String {
    match line {
        0 => format!("{}: {what}", path.display()),
        line => format!("{}:{line}: {what}", path.display()),
    }
}

pub use types::{Commit, Digest, ImageRef, SnapshotStamp};
