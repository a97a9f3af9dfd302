//! The commands of the program, as xtask starts them.

use crate::builder_shell::BuilderShell;
use xtask_args::{DiagnoseArgs, InspectArgs};

/// Why two images differ, and what an image contains
#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Diagnose(Box<StartedByXtask>),
    Inspect(InspectArgs),
}

/// Arguments of the user, and what xtask adds.
#[derive(Debug, clap::Args)]
pub(crate) struct StartedByXtask {
    #[command(flatten)]
    pub(crate) args: DiagnoseArgs,
    /// How to run diffoscope in the builder image, if an engine has that image
    #[arg(long, value_name = "JSON", hide = true)]
    pub(crate) diffoscope_command: Option<BuilderShell>,
}
