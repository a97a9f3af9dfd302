//! Arguments that `iso`, `verify` and `doctor` share, and the request for a build.

use super::shortcuts::Shortcuts;
use crate::engine::BuildArgs;
use std::path::PathBuf;
use xtask_core::facts::upstream::Upstream;
use xtask_core::recipe;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RecipeArgs {
    /// Folder under linux/build/recipes: its name or its path
    #[arg(value_name = "RECIPE", default_value = recipe::DEFAULT)]
    pub(crate) recipe: String,
    #[command(flatten)]
    pub(crate) build: BuildArgs,
    /// Builder image: registry/name@sha256:…, or `local` for the one built from this
    /// checkout's docker/ folder
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Flavor to build, if the recipe has several [default: SILVERMETAL_FLAVOR in
    /// linux/build/config/silvermetal-base.conf]
    #[arg(long, value_name = "NAME")]
    pub(crate) flavor: Option<String>,
    /// Checkout of derivative-maker to build from instead of the pinned submodule; such an ISO is
    /// never released
    #[arg(long, value_name = "DIR")]
    pub(crate) upstream: Option<PathBuf>,
    /// Build without network, from the packages and the builder image that --save-inputs kept
    #[arg(long, value_name = "DIR", conflicts_with_all = ["mirror", "image", "setup"])]
    pub(crate) from_inputs: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shortcuts: Shortcuts,
}

/// A request for one build of one ISO.
#[derive(Clone, Debug)]
pub(crate) struct BuildRequest {
    pub(crate) what: RecipeArgs,
    /// Folder for the result; `None` for the recipe's own.
    pub(crate) output: Option<PathBuf>,
    /// Folder for everything that the build fetches, if that is to be kept.
    pub(crate) save_inputs: Option<PathBuf>,
    /// The candidate of a bump, to build from instead of the pin. The build does not inspect its image,
    /// because a rehearsal does, and then compares it, whatever the policy says.
    pub(crate) candidate: Option<Upstream>,
}
