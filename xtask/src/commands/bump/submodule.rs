//! `cargo xtask bump-submodule`: the commit of derivative-maker, and the record of which upstream
//! files our entrypoint was reviewed against.

use super::edit::{self, FileEdit};
use super::gitlink::Gitlink;
use super::levers::LeverReport;
use super::reviewed::Reviewed;
use super::upstream::UpstreamCopy;
use super::{lock, next_steps, shown};
use anyhow::Result;
use serde_json::json;
use xtask_core::facts::git::SUBMODULE;
use xtask_core::facts::repo::Repo;
use xtask_core::json;
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask bump-submodule --dry-run    to the newest tag: its log, signature and reviewed files
  cargo xtask bump-submodule 18.2.2.0-developers-only";

/// Pin another derivative-maker; show its log, signature, levers, and changes to reviewed files
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BumpSubmoduleArgs {
    /// Tag, branch or commit of the remote [default: its newest tag]
    rev: Option<String>,
    /// Show the edits, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    json: bool,
}

/// `cargo xtask bump-submodule`
pub(crate) fn command(repo: &Repo, args: &BumpSubmoduleArgs) -> Result<()> {
    let ui = Ui::new(false);
    let gitlink = Gitlink::read(repo)?;
    let old = &gitlink.pinned;
    let upstream = UpstreamCopy::fetch(repo, &ui)?;
    let rev = match &args.rev {
        Some(rev) => rev.clone(),
        None => upstream.newest_tag()?,
    };
    let commit = upstream.commit(&rev)?;
    let signature = upstream.signature(&rev)?;
    let log = upstream.log(old, &commit)?;
    let levers = LeverReport::at(repo, &upstream, &commit)?;
    let mut record = FileEdit::of(&repo.builder_image())?;
    let mut readme = FileEdit::of(&repo.docker().join("systemd-entrypoint/README.md"))?;
    let reviewed = Reviewed::read(&record)?;
    let now = upstream.blobs(&commit, reviewed.blobs.keys())?;
    let changed: Vec<&String> =
        reviewed.blobs.keys().filter(|path| now.get(*path) != reviewed.blobs.get(*path)).collect();
    let added = upstream.added(&reviewed.commit, &commit)?;
    let diff = upstream.diff(&reviewed.commit, &commit, &changed, &added)?;

    let tag = if upstream.is_tag(&rev) { rev.clone() } else { String::new() };
    reviewed.rewrite(&mut record, &mut readme, &commit, &tag, &now, &added)?;
    let edits = [record, readme];
    if args.json {
        let (state, by) = signature.words();
        json::print(&json!({
            "format": "silvermetal-bump-submodule/1",
            "rev": rev, "commit": commit, "before": old, "signature": state, "signed_by": by,
                "log": log.lines().collect::<Vec<_>>(), "reviewed_files_changed": changed,
                "new_files": added.keys().collect::<Vec<_>>(), "levers_fallen": levers.fallen,
                "levers_not_read": levers.unread, "dry_run": args.dry_run,
        }));
    } else {
        answer(format_args!("{old} -> {commit} ({rev})"));
        answer(format_args!("signature: {}", signature.shown()));
        answer(format_args!(
            "log:\n{}",
            if log.is_empty() { "  (no commits in between)" } else { &log }
        ));
        if changed.is_empty() && added.is_empty() {
            answer(format_args!(
                "the files that our entrypoint was reviewed against are unchanged"
            ));
        } else {
            answer(format_args!(
                "changes in the files that our entrypoint was reviewed against:\n{diff}"
            ));
        }
        answer(format_args!("{}", levers.shown()));
    }
    if commit == *old && !edits.iter().any(FileEdit::changes) {
        ui.print(&format!("already pinned: {commit}"));
        return Ok(());
    }
    if !upstream.descends(old, &commit) {
        ui.notice(&format!("{rev} does not descend from the pinned commit: either it is older, or upstream rewrote its history"));
    }
    if !levers.fallen.is_empty() {
        ui.notice(&format!(
            "{} anchors of levers do not hold at {rev}: no recipe that lists them builds from it before its levers.toml and what it steers follow",
            levers.fallen.len()
        ));
    }
    if args.dry_run {
        ui.print("nothing was written: --dry-run");
        return Ok(());
    }
    let prepared = edit::prepare(&edits, &lock(repo))?;
    gitlink.move_to(&commit, upstream.dir())?;
    prepared.replace().map_err(|error| gitlink.move_back(error))?;
    if gitlink.has_submodule() {
        ui.notice(&format!(
            "update its nested submodules too: git submodule update --init --recursive {SUBMODULE}"
        ));
    }
    if !changed.is_empty() || !added.is_empty() {
        ui.print("compare the diff above with linux/build/docker/systemd-entrypoint (its README says how): the record now claims that this review was done");
    }
    ui.print(&next_steps(repo, &edits));
    ui.print(&format!(
        "  the gitlink {} is staged already, for the same commit",
        shown(repo, &repo.submodule())
    ));
    Ok(())
}
