//! How findings are shown: to a person, to a program, to CI, and the rules themselves.

pub mod annotations;
pub mod human;
pub mod json;
pub mod rules;
