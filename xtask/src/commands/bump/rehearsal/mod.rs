//! `bump-submodule --rehearse`: tries a candidate before the pin moves. Nothing of the pin is written.
//!
//! The steps go from the cheap to the dear, and each can end it: the anchors of the levers, over git's
//! objects alone; a copy with all submodules; the canary, which shows that machine, engine, image and pins
//! work; one image from the copy; its content policy; the difference to the last image.

mod args;
mod copy;
mod execute;
mod facts;
mod last_image;
mod plan;
mod report;

pub(crate) use args::{RehearsalArgs, belongs};

use super::evidence::BumpEvidence;
use super::upstream::UpstreamCopy;
use crate::build;
use crate::engine::BuildArgs;
use anyhow::Result;
use execute::RehearsalTools;
use facts::RehearsalFacts;
use serde_json::Value;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, refuse};
use xtask_core::json;
use xtask_core::ui::{Ui, answer};

/// Rehearses the bump to the candidate of `evidence`.
///
/// # Errors
/// Anchors fell, or the image violates its policy (exit code 1); something is not ready (3); a build
/// failed (4).
pub(super) fn command(
    repo: &Repo,
    args: &RehearsalArgs,
    flags: &BuildArgs,
    upstream: &UpstreamCopy,
    evidence: &BumpEvidence,
    ui: &Ui,
) -> Result<()> {
    if !flags.json {
        evidence.show();
    }
    evidence.warn(ui);
    let print = |rehearsal: &Value| {
        if flags.json {
            json::print(&evidence.json(flags.dry_run, rehearsal));
        }
    };
    let anchors_fell = |fallen: &[String], listed: &str| {
        print(&report::anchors_fell(fallen));
        let rev = &evidence.rev;
        let anchors = if fallen.len() == 1 { "anchor" } else { "anchors" };
        Code::No.error(format!(
            "{} {anchors} of levers fell at {rev}: nothing was built, and the pin stays{listed}",
            fallen.len()
        ))
    };
    if !evidence.levers.fallen.is_empty() {
        // the evidence lists them
        return Err(anchors_fell(&evidence.levers.fallen, ""));
    }
    let facts = RehearsalFacts::gather(repo, args, flags, upstream, &evidence.commit)?;
    let problems = facts.problems();
    if flags.dry_run {
        let plan = plan::describe(&facts, &evidence.commit, &evidence.rev)?;
        print(&report::planned(&plan, &problems));
        if !flags.json {
            answer(format_args!("{}", plan.text(flags.verbose)));
        }
        return refuse(&problems);
    }
    refuse(&problems)?;
    // before an hour's build: the compiler may fail, and the last image may be none that can be read
    let tools = RehearsalTools::prepare(repo, &facts, flags.json, ui)?;
    let copy = facts.copy.make(repo, facts.product.host.caller, ui)?;
    let product = facts.product_from(&facts.copy.dir)?;
    let fallen: Vec<String> = product.levers.problems.iter().map(|p| p.what.clone()).collect();
    if !fallen.is_empty() {
        // in submodules that moved, which only the copy has
        return Err(anchors_fell(&fallen, &format!(":\n  {}", fallen.join("\n  "))));
    }
    // a submodule may have a tag that upstream refuses
    refuse(&build::problems(&product, flags.setup))?;
    let report = tools.rehearse(&facts, ui)?;
    drop(copy);
    print(&report.json());
    if !flags.json {
        answer(format_args!("{}", report.text()));
    }
    ui.print("the pin stays as it is: --rehearse");
    report.verdict()
}
