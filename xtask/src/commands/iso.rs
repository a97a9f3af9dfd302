//! `cargo xtask iso`: one build of one ISO.

use crate::build::{self, BuildFacts, BuildRequest, Ready, RecipeArgs};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Instant;
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::json;
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask iso canary --setup            a small bootable ISO; minutes, the first time
  cargo xtask iso --dry-run                 the plan of a build of the product; with -v every command
  cargo xtask iso --save-inputs ~/inputs    build, and keep everything that was fetched";

/// Build an ISO once; print its SHA-256 and path
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct IsoArgs {
    #[command(flatten)]
    what: RecipeArgs,
    /// Folder for the result [default: linux/build/output/SHORT-SHA, canary-SHORT-SHA for the canary,
    /// with `-host` behind it on engine host]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Keep everything that the build fetches in a new folder, so that --from-inputs can build it
    /// again
    #[arg(long, value_name = "DIR", conflicts_with_all = ["from_inputs", "reuse_packages", "reuse_chroot"])]
    save_inputs: Option<PathBuf>,
}

/// `cargo xtask iso`
pub(crate) fn command(repo: &Repo, args: &IsoArgs) -> Result<()> {
    let ui = Ui::new(args.what.build.verbose);
    let begun = Instant::now();
    let request = BuildRequest {
        what: args.what.clone(),
        output: args.output.clone(),
        save_inputs: args.save_inputs.clone(),
        candidate: None,
    };
    let facts = BuildFacts::gather(repo, &request)?;
    if args.what.build.dry_run {
        let problems = build::problems(&facts, args.what.build.setup);
        return build::describe(&facts)?.show("iso", &problems, args.what.build.shown());
    }
    let ready = Ready::new(facts, &ui)?;
    let built = ready.build(begun, &ui)?;
    if args.what.build.json {
        json::print(&built.json(&ready.facts));
    } else {
        answer(format_args!("{}  {}", built.digest.hex(), built.path.shown()));
    }
    Ok(())
}
