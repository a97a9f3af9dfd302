//! The list of commands. Each command's arguments are in its own file under commands/.

use crate::commands::boot::BootArgs;
use crate::commands::bump::image::BumpImageArgs;
use crate::commands::bump::snapshot::BumpSnapshotArgs;
use crate::commands::bump::submodule::BumpSubmoduleArgs;
use crate::commands::check::CheckArgs;
use crate::commands::clean::CleanArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::image::ImageCommand;
use crate::commands::iso::IsoArgs;
use crate::commands::release::ReleaseCommand;
use crate::commands::reproduce::ReproduceArgs;
use crate::commands::test::TestArgs;
use crate::commands::verify::VerifyArgs;
use xtask_args::{DiagnoseArgs, InspectArgs};

const EXIT_CODES: &str = "\
Exit codes:
  0    yes
  1    no: the images differ, or there are findings
  2    wrong usage
  3    the environment is not ready; nothing was changed
  4    a build or an outside step failed
  130  interrupted

Examples:
  cargo xtask iso canary --setup     a small bootable ISO; minutes, the first time
  cargo xtask verify                 the product, built twice and compared
  cargo xtask help iso               the same as `cargo xtask iso --help`";

/// SilverMetal's build automation: from a commit to a reproducible ISO
#[derive(Debug, clap::Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    after_long_help = EXIT_CODES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Iso(IsoArgs),
    Verify(VerifyArgs),
    Boot(BootArgs),
    Check(CheckArgs),
    Diagnose(Box<DiagnoseArgs>),
    Inspect(InspectArgs),
    Doctor(DoctorArgs),
    #[command(subcommand)]
    Image(ImageCommand),
    #[command(subcommand)]
    Release(ReleaseCommand),
    Reproduce(ReproduceArgs),
    BumpImage(BumpImageArgs),
    BumpSnapshot(BumpSnapshotArgs),
    BumpSubmodule(BumpSubmoduleArgs),
    Clean(CleanArgs),
    Completions(CompletionsArgs),
    Test(TestArgs),
}
