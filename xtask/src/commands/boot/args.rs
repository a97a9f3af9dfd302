//! Arguments of `cargo xtask boot`.

use super::firmware::FirmwareChoice;
use clap::value_parser;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cargo xtask boot --setup                                the ISO that was built last
  cargo xtask boot image.iso --firmware uefi --verbose    watch the serial console
  cargo xtask boot image.iso --timeout 5400               without KVM a desktop takes its time

A desktop is recognized by a panel along an edge of the screen and a pointer that follows the mouse. If the
recipe says that the flavor has one, a login prompt is not enough.

Exit codes: 0 if it boots under each firmware; 1 if it does not, or if nobody can tell: look at the
screenshots, which are also taken on the way.";

/// Boot an ISO in QEMU to a login prompt or a desktop; keep a screenshot
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BootArgs {
    /// Image to boot, or the output folder of a build; it is not written to [default: the newest ISO
    /// of this checkout]
    pub(super) iso: Option<PathBuf>,
    /// Firmware to boot it under
    #[arg(long, default_value = "both")]
    pub(super) firmware: FirmwareChoice,
    /// First install QEMU and its firmware if they are missing
    #[arg(long)]
    pub(super) setup: bool,
    /// Give up after this many seconds without a login prompt or a desktop [default: what the recipe
    /// says for the flavor of the image, else 600]
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..))]
    pub(super) timeout: Option<u64>,
    /// Folder for the screenshot and the serial log [default: boot/ beside the ISO]
    #[arg(long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Print the plan, with -v QEMU's command lines, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    pub(super) json: bool,
    /// Show the serial console while the image boots
    #[arg(long, short)]
    pub(super) verbose: bool,
}
