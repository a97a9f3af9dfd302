//! The records beside an ISO: reading them, and comparing those of two builds.

pub mod ledger;
pub mod manifest;
pub mod published;
pub mod sums;
pub mod verdict;

/// Name of the folder of manifests, beside the ledger.
pub const MANIFESTS: &str = "manifests";
