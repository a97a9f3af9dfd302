//! `cargo xtask iso`: one build of one ISO.

use crate::build::{self, Facts, Ready};
use crate::cli::IsoArgs;
use anyhow::Result;
use std::time::Instant;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::listing;
use xtask_core::ui::{Ui, answer};

/// `cargo xtask iso`
pub(crate) fn command(repo: &Repo, args: &IsoArgs) -> Result<()> {
    let ui = Ui::new(args.what.build.verbose);
    let begun = Instant::now();
    let facts = Facts::gather(repo, args, None)?;
    if args.what.build.dry_run {
        let problems = build::problems(&facts, args.what.build.setup);
        answer(format_args!("{}", build::describe(&facts)?));
        if !problems.is_empty() {
            ui.print(&listing(&problems));
        }
        return Ok(());
    }
    let ready = Ready::new(facts, repo, args, &ui)?;
    let built = ready.build(begun, &ui)?;
    if args.what.build.json {
        answer(format_args!("{:#}", built.json(&ready.facts)));
    } else {
        answer(format_args!("{}  {}", built.digest.hex(), built.path.display()));
    }
    Ok(())
}
