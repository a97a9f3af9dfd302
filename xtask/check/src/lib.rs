//! `cargo xtask check`: every fault that the files of the repository alone can show, in one run.
//!
//! [`tree`] reads the files, [`parse`] and [`model`] make sense of them, each file of [`rules`]
//! looks for one kind of fault, [`run()`] puts the findings together, [`report`] shows them.

pub mod finding;
pub mod model;
pub mod parse;
pub mod report;
pub mod rule;
pub mod rules;
pub mod run;
pub mod tree;

pub use run::{Outcome, Selection, run};
