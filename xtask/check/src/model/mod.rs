//! What the files mean: workflows, the runner's configuration, scripts, container commands, and
//! the exceptions written beside lines.

pub mod container;
pub mod exception;
pub mod image;
pub mod runner;
pub mod script;
pub mod versions;
pub mod workflow;
