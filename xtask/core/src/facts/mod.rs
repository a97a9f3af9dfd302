//! What is the case, read without changing anything: also in a dry run.

pub mod builder_inputs;
pub mod container;
pub mod git;
pub mod host;
pub mod mirror;
pub mod repo;
pub mod submodule;
pub mod upstream;
