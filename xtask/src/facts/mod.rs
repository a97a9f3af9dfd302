//! What is the case, read without changing anything: also in a dry run.

pub(crate) mod git;
pub(crate) mod host;
pub(crate) mod mirror;
pub(crate) mod repo;
