//! The command line of `cargo xtask diagnose` and `cargo xtask inspect`, as data.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Why two images differ, and what is in one.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Name the causes why two images differ
    Diagnose(DiagnoseArgs),
    /// What is in an image, and does it hold the content policy; of two: which packages changed
    Inspect(InspectArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// Two ISOs, squashfs files, trees or output folders; or the one folder of a verify
    #[arg(required = true, num_args = 1..=2, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write a report as one page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct InspectArgs {
    /// The image, or the output folder of a build; a second one: which packages changed
    #[arg(required = true, num_args = 1..=2, value_name = "ISO")]
    pub(crate) images: Vec<PathBuf>,
    /// Hold it against the policy of this recipe [default: as BUILD_INFO beside it says, else base]
    #[arg(long, value_name = "NAME")]
    pub(crate) recipe: Option<String>,
    /// Search only what a build writes for traces of it (etc, var, …), not every file
    #[arg(long)]
    pub(crate) quick: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
}
