//! The records beside an ISO: reading them, and comparing those of two builds.

pub mod environment;
pub mod ledger;
pub mod manifest;
pub mod published;
pub mod sums;
pub mod verdict;

/// Name of the folder of manifests, beside the ledger.
pub const MANIFESTS: &str = "manifests";
/// End of the name of an artefact that is a tree.
pub const TREE: &str = ".tar";
/// Most bytes of an image, eight times those of today's.
pub const LARGEST_IMAGE: u64 = 16 << 30;
