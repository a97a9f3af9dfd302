//! Output of findings and of the rules themselves.

pub(crate) mod annotations;
pub(crate) mod catalog;
pub(crate) mod human;
pub(crate) mod json;
