//! Facts about machine, checkout and network. Gathering them changes nothing, so a dry run does it, too.

pub mod archive;
pub mod builder_inputs;
pub mod container;
pub mod git;
pub mod host;
pub mod mirror;
pub mod repo;
pub mod snapshot;
pub mod submodule;
pub mod upstream;
pub mod versions;
