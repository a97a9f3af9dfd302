//! The records beside an ISO, as they are read back, and what two builds' records say of each other.

pub mod ledger;
pub mod manifest;
pub mod published;
pub mod verdict;

/// Folder of the manifests, beside the ledger.
pub const MANIFESTS: &str = "manifests";
