//! The error of every reader.

use std::fmt;

/// A layer cannot be read to its end: it is damaged, cut short, hostile, or of a variant that is not
/// read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Name of the format, e.g. `squashfs`.
    pub layer: &'static str,
    /// Bytes from the start of that layer.
    pub offset: u64,
    /// Lowercase, without full stop.
    pub why: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(layer: &'static str, offset: u64, why: impl Into<String>) -> Error {
        Error { layer, offset, why: why.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {:#x}: {}", self.layer, self.offset, self.why)
    }
}

impl std::error::Error for Error {}
