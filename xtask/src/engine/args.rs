//! Arguments of every command that builds something: its engine, and its source of packages.

use super::EngineChoice;
use std::path::PathBuf;
use xtask_core::dry_run::PlanFormat;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// Engine to build on
    #[arg(long, default_value = "auto")]
    pub(crate) engine: EngineChoice,
    /// First install missing host packages, and build the builder image if there is none
    #[arg(long)]
    pub(crate) setup: bool,
    /// Print the plan, with -v every command that would run, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Show all output of the commands that run
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Debian mirror to build from instead of the pinned snapshot, e.g. http://HOST/debian
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
    /// Keyring that verifies --mirror, instead of Debian's own
    #[arg(long, value_name = "FILE", requires = "mirror")]
    pub(crate) mirror_keyring: Option<PathBuf>,
    /// Extra CA certificate (PEM) for the builder, if the network intercepts TLS; it is never in
    /// the ISO
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

impl BuildArgs {
    /// How a dry run prints its plan.
    pub(crate) fn shown(&self) -> PlanFormat {
        PlanFormat { json: self.json, verbose: self.verbose }
    }
}
