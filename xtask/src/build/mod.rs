//! One build of one ISO: gathers facts, plans, checks, runs, records and publishes.

mod args;
mod describe;
mod execute;
mod inputs;
mod levers;
mod occupied;
pub(crate) mod plan;
mod policy_gate;
pub(crate) mod preflight;
mod ready;
pub(crate) mod records;
mod run;
pub(crate) mod sandbox;
mod saved_inputs;
mod scratch;
mod shortcuts;
pub(crate) mod sweep;
mod watch;
mod workdir;

pub(crate) use args::{BuildRequest, RecipeArgs};
pub(crate) use execute::{BuildEnd, HaltedBuild, prepare};
pub(crate) use inputs::{BuildFacts, EpochFrom};
pub(crate) use occupied::OccupiedFolder;
pub(crate) use plan::{CACHE_VOLUME, PACKAGES_VOLUME};
pub(crate) use preflight::problems;
pub(crate) use ready::Ready;
pub(crate) use records::earlier;
use sandbox::copy_tree;
pub(crate) use scratch::ScratchFolder;
pub(crate) use shortcuts::Shortcuts;
pub(crate) use watch::{BuildSide, StageComparison};

use crate::engine::container::Network;
use anyhow::Result;
use plan::Folders;
use xtask_core::dry_run::DryRun;

/// The plan of a build, for a dry run.
pub(crate) fn describe(facts: &BuildFacts) -> Result<DryRun> {
    let folders = Folders::new(facts);
    let run = plan::run(facts, &folders, Network::Bridge)?;
    let image = execute::describe_image(facts, Network::Bridge);
    Ok(describe::describe(facts, &folders, &run, image.as_deref()))
}
