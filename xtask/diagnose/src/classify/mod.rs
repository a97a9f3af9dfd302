//! From differences to causes: a table of rules, each with its evidence and the lever that mends it.
//!
//! A cause is a substitution that is proved: what it names, replaced in A, gives B's bytes to the end
//! of the file; or both sides were opened to their end, and what is inside was judged likewise. All
//! else is unexplained. `account` sees to it that every difference ends in exactly one place.
//!
//! A rule judges one difference, or one edit within a content. `correlate` judges what only several
//! files together show; `consequences` and `checksums`, what follows from other differences.

mod account;
mod accounts;
mod certificates;
mod checksums;
mod classifier;
mod consequences;
mod context;
mod correlate;
mod decisions;
mod diagnosis;
mod epoch;
mod exchanged;
mod fact;
mod format;
mod host_keys;
mod implanted;
mod mirrors;
mod moved;
mod owners;
mod renames;
mod rule;
mod rules;
mod umask;
mod verity;

pub(crate) use classifier::classify;
pub(crate) use context::{Build, Context};
pub(crate) use diagnosis::{Cause, Diagnosis, Item};
pub(crate) use fact::Facts;

use rule::{At, CauseRule};
