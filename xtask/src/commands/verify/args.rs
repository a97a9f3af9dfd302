//! Arguments of `cargo xtask verify`.

use super::varying::Vary;
use crate::build::RecipeArgs;
use clap::value_parser;
use std::path::PathBuf;
use xtask_core::ci;

const EXAMPLES: &str = "\
Examples:
  cargo xtask verify canary                       two builds of the canary
  cargo xtask verify canary --vary all --bisect   vary build B, and find the condition that matters
  cargo xtask verify --fail-fast                  no more than is needed to see that they differ
  cargo xtask verify --resume                     go on after build B failed
  cargo xtask verify --against SHA256SUMS         one build, compared with a published hash
  cargo xtask verify --compare ~/a/out ~/b/out    the builds of two machines, by their records";

/// Build twice and compare: the ISOs are identical, or the first difference is shown
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(super) what: RecipeArgs,
    /// Folder for both builds and the report [default: linux/build/output/verify-SHORT-SHA, …]
    #[arg(long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Number of builds at the same time: 1 or 2
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u8).range(1..=2))]
    pub(super) jobs: u8,
    /// Go on with build A of an interrupted verify, if its record still matches
    #[arg(long)]
    pub(super) resume: bool,
    /// Conditions that build B varies because they must not matter: all, none, or a list out of
    /// host-name, path, user, umask, cpus, locale, time-zone, environment, clock, directory-order,
    /// firmware, kernel, cpu-model. If it has clock, kernel or cpu-model, both builds run on engine vm
    #[arg(long, value_name = "all|none|LIST", default_value = "none")]
    pub(super) vary: Vary,
    /// If the builds differ, find the one condition of --vary that causes it, by halving the list
    #[arg(long, requires = "vary")]
    pub(super) bisect: bool,
    /// Stop at the first stage that differs, and diagnose the files that are there; the rest of build B is
    /// not built. The default in CI
    #[arg(long, overrides_with = "no_fail_fast")]
    fail_fast: bool,
    /// Build both to the end, also in CI
    #[arg(long, overrides_with = "fail_fast")]
    no_fail_fast: bool,
    /// Build once, and compare with a published SHA256SUMS or ISO
    #[arg(long, value_name = "FILE|URL", conflicts_with_all = [
        "resume", "jobs", "vary", "bisect", "fail_fast",
    ])]
    pub(super) against: Option<String>,
    /// Build nothing: compare the output folders of two builds by their records, e.g. from two
    /// machines. The images may be missing. With --output, the report is kept there
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = [
        "recipe", "against", "resume", "jobs", "vary", "bisect", "setup", "dry_run", "fail_fast",
    ])]
    pub(super) compare: Vec<PathBuf>,
}

impl VerifyArgs {
    /// Returns true if the builds stop at the first stage that differs.
    pub(super) fn stops_early(&self) -> bool {
        self.fail_fast || ci::is_ci() && !self.no_fail_fast
    }
}
