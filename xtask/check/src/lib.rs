//! `cargo xtask check`: finds every problem that the repository's files alone can show, in one run.
//!
//! [`tree`] reads the files. [`parse`] and [`model`] turn them into jobs, scripts and images. Each
//! file in [`rules`] looks for one kind of problem. [`run`] collects the findings, and [`report`]
//! prints them.

mod finding;
mod fix;
mod linter;
mod model;
mod parse;
mod report;
mod rule;
mod rules;
mod run;
mod selection;
#[cfg(test)]
mod tests;
mod tree;

pub use finding::Severity;
pub use report::annotations::annotations;
pub use report::catalog::{explain, table};
pub use report::human::text;
pub use report::json::json;
pub use run::{CheckReport, check};
pub use selection::RuleSelection;
pub use tree::CommandRefusal;
