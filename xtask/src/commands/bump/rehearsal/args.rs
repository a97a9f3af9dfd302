//! Arguments of a rehearsal.

use clap::Arg;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RehearsalArgs {
    /// Try the revision before the pin moves: its levers, the canary, an image that is built from a copy, its
    /// content policy, and what changed since the last image. The pin stays
    #[arg(long)]
    pub(crate) rehearse: bool,
    /// Image to compare with, or the output folder of its build [default: the newest image of base and its
    /// flavor in this checkout that is no rehearsal's]
    #[arg(long, value_name = "ISO")]
    pub(super) against: Option<PathBuf>,
    /// Folder for the image that is built from the revision [default:
    /// linux/build/output/candidate-SHORT-SHA]
    #[arg(long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Flavor to build [default: SILVERMETAL_FLAVOR in linux/build/config/silvermetal-base.conf]
    #[arg(long, value_name = "NAME")]
    pub(super) flavor: Option<String>,
    /// Builder image: registry/name@sha256:…, or `local` for the one built from this checkout's docker/
    /// folder
    #[arg(long, value_name = "REF")]
    pub(super) image: Option<String>,
}

/// Arguments that mean something without a build. Their help is that of a bump.
const OF_EVERY_BUMP: [(&str, &str); 4] = [
    ("rev", ""),
    ("dry_run", "Show the edits, with --rehearse the plan, and write nothing"),
    ("json", ""),
    ("verbose", "Show all output of the commands that run; in a plan, every command"),
];

/// Makes every argument of a build one that needs `--rehearse`.
pub(crate) fn belongs(arg: Arg) -> Arg {
    let name = arg.get_id().as_str().to_owned();
    match OF_EVERY_BUMP.iter().find(|(other, _)| *other == name) {
        Some((_, "")) => arg,
        Some((_, help)) => arg.help(*help),
        None => {
            let arg = arg.help_heading("Rehearsal");
            if name == "rehearse" { arg } else { arg.requires("rehearse") }
        }
    }
}
