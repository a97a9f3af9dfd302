//! What the files mean: workflows, the runner's configuration, scripts, container commands, and
//! the exceptions written beside lines.

pub(crate) mod container;
pub(crate) mod exception;
pub(crate) mod image;
pub(crate) mod runner;
pub(crate) mod script;
pub(crate) mod versions;
pub(crate) mod workflow;
