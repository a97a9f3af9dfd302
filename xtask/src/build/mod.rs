//! One build of one ISO: gather the inputs, plan, check, run, record, publish.

mod args;
mod build;
mod inputs;
pub(crate) mod plan;
mod policy_gate;
pub(crate) mod preflight;
mod ready;
pub(crate) mod records;
mod run;
pub(crate) mod sandbox;
mod saved_inputs;
pub(crate) mod sweep;
mod workdir;

pub(crate) use args::{BuildRequest, RecipeArgs};
pub(crate) use build::{Built, prepare};
pub(crate) use inputs::{EpochFrom, Facts};
pub(crate) use plan::{CACHE_VOLUME, PACKAGES_VOLUME};
pub(crate) use preflight::problems;
pub(crate) use ready::Ready;
use sandbox::copy_tree;

use crate::engine::container::Network;
use anyhow::Result;
use plan::Folders;

/// What a dry run prints.
pub(crate) fn describe(facts: &Facts) -> Result<String> {
    let folders = Folders::new(facts);
    let run = plan::run(facts, &folders, Network::Bridge)?;
    let image = build::describe_image(facts, Network::Bridge);
    Ok(plan::describe(facts, &folders, &run, image.as_deref()))
}
