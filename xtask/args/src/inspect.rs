//! Arguments of `inspect`.

use std::path::PathBuf;

const INSPECT_EXAMPLES: &str = "\
Examples:
  cargo xtask inspect linux/build/output/1a2b3c4       an ISO, against its recipe's content policy
  cargo xtask inspect image.iso --recipe canary --json
  cargo xtask inspect image.iso --rebuilt              the packages that others have rebuilt, too
  cargo xtask inspect old.iso new.iso                  packages, files, command lines that changed";

/// Show the contents of an image, and check them against the content policy; of two images, show
/// the packages, sizes, files and kernel command lines that changed
///
/// Exit codes: 0 if the policy holds, 1 if it is violated; of two images, 1 if packages, files or
/// command lines changed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = INSPECT_EXAMPLES)]
pub struct InspectArgs {
    /// The image, or the output folder of a build; with a second one: what changed
    #[arg(value_name = "ISO", required = true, num_args = 1..=2)]
    pub images: Vec<PathBuf>,
    /// Recipe whose policy applies [default: the one that BUILD_INFO beside the image names, else
    /// base]
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Flavor of the recipe that the image has to be [default: the one that BUILD_INFO names, else
    /// any of the recipe's]
    #[arg(long, value_name = "NAME")]
    pub flavor: Option<String>,
    /// Search only the files that a build writes for its traces (etc, var, …), not every file
    #[arg(long)]
    pub quick: bool,
    /// Also say which packages of the image others have rebuilt, and with which result
    #[arg(long)]
    pub rebuilt: bool,
    /// Ask this rebuilder (rebuilderd) instead of Debian's; may be given several times
    #[arg(long, value_name = "URL", requires = "rebuilt")]
    pub rebuilder: Vec<String>,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    pub json: bool,
}
