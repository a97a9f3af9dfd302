//! The command line of `cargo xtask diagnose` and `cargo xtask inspect`, as data.

use arguments::{arguments, subcommands};
use std::path::PathBuf;

subcommands! {
    /// Why two images differ, and what is in one.
    pub(crate) enum Command {
        /// Name the causes why two images differ
        "diagnose" => Diagnose(DiagnoseArgs),
        /// What is in an image, and does it hold the content policy; of two: which packages changed
        "inspect" => Inspect(InspectArgs),
    }
}

arguments! {
    pub(crate) struct DiagnoseArgs {
        /// Two ISOs, squashfs files, trees or output folders; or the one folder of a verify
        images: Vec<PathBuf> = operand("IMAGE").required(true).num_args(1..=2),
        /// Machine-readable result on stdout
        json: bool = flag(),
        /// Also write a report as one page that needs nothing else
        html: Option<PathBuf> = option("FILE"),
    }

    pub(crate) struct InspectArgs {
        /// The image, or the output folder of a build; a second one: which packages changed
        images: Vec<PathBuf> = operand("ISO").required(true).num_args(1..=2),
        /// Hold it against the policy of this recipe [default: as BUILD_INFO beside it says, else base]
        recipe: Option<String> = option("NAME"),
        /// Search only what a build writes for traces of it (etc, var, …), not every file
        quick: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
    }
}
