//! `cargo xtask bump-submodule`: the commit of derivative-maker, and the record of which upstream
//! files our entrypoint was reviewed against.

use super::edit::{self, FileEdit};
use super::evidence::BumpEvidence;
use super::gitlink::Gitlink;
use super::rehearsal::{self, RehearsalArgs};
use super::upstream::UpstreamCopy;
use super::{lock, next_steps, shown};
use crate::engine::BuildArgs;
use anyhow::Result;
use serde_json::Value;
use xtask_core::facts::git::SUBMODULE;
use xtask_core::facts::repo::Repo;
use xtask_core::json;
use xtask_core::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bump-submodule --dry-run    to the newest tag: its log, signature and reviewed files
  cargo xtask bump-submodule --rehearse   build from it first: what would change in the image?
  cargo xtask bump-submodule 18.2.2.0-developers-only";

/// Pin another derivative-maker; show its log, signature, levers, and changes to reviewed files
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, mut_args = rehearsal::belongs)]
pub(crate) struct BumpSubmoduleArgs {
    /// Tag, branch or commit of the remote [default: its newest tag]
    rev: Option<String>,
    #[command(flatten)]
    rehearsal: RehearsalArgs,
    #[command(flatten)]
    build: BuildArgs,
}

/// `cargo xtask bump-submodule`
pub(crate) fn command(repo: &Repo, args: &BumpSubmoduleArgs) -> Result<()> {
    let ui = Ui::new(args.build.verbose);
    let gitlink = Gitlink::read(repo)?;
    let upstream = UpstreamCopy::fetch(repo, &ui)?;
    let evidence = BumpEvidence::gather(repo, &upstream, &gitlink.pinned, args.rev.as_deref())?;
    if args.rehearsal.rehearse {
        return rehearsal::command(repo, &args.rehearsal, &args.build, &upstream, &evidence, &ui);
    }
    let edits = &evidence.edits;
    if args.build.json {
        json::print(&evidence.json(args.build.dry_run, &Value::Null));
    } else {
        evidence.show();
    }
    if evidence.commit == evidence.before && !edits.iter().any(FileEdit::changes) {
        ui.print(&format!("already pinned: {}", evidence.commit));
        return Ok(());
    }
    evidence.warn(&ui);
    if args.build.dry_run {
        ui.print("nothing was written: --dry-run");
        return Ok(());
    }
    let prepared = edit::prepare(edits, &lock(repo))?;
    gitlink.move_to(&evidence.commit, upstream.dir())?;
    prepared.replace().map_err(|error| gitlink.move_back(error))?;
    if gitlink.has_submodule() {
        ui.notice(&format!(
            "update its nested submodules too: git submodule update --init --recursive {SUBMODULE}"
        ));
    }
    if evidence.needs_review() {
        ui.print("compare the diff above with linux/build/docker/systemd-entrypoint (its README says how): the record now claims that this review was done");
    }
    ui.print(&next_steps(repo, edits));
    ui.print(&format!(
        "  the gitlink {} is staged already, for the same commit",
        shown(repo, &repo.submodule())
    ));
    Ok(())
}
