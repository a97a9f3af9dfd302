//! From differences to causes: a table of rules, each with its evidence and the lever that mends it.
//!
//! A rule judges one difference, or one edit within a content. `correlate` judges what only several
//! files together show, and `consequences` what follows from other differences.

mod classifier;
mod consequences;
mod context;
mod correlate;
mod diagnosis;
mod epoch;
mod fact;
mod format;
mod moved;
mod renames;
mod rule;
mod rules;

pub(crate) use classifier::classify;
pub(crate) use context::{Build, Context};
pub(crate) use diagnosis::{Cause, Diagnosis, Item};
pub(crate) use fact::Facts;

use rule::{At, Changed, Evidence, Rule};
