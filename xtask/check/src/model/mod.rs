//! Meaning of the files: workflows, runner configuration, scripts, container commands, exceptions.

pub(crate) mod command;
pub(crate) mod container;
pub(crate) mod exception;
pub(crate) mod image;
pub(crate) mod runner;
pub(crate) mod scenario;
pub(crate) mod script;
pub(crate) mod versions;
pub(crate) mod workflow;
