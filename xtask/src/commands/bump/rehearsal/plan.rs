//! The plan of a rehearsal.

use super::facts::RehearsalFacts;
use crate::build::{self, BuildFacts};
use anyhow::Result;
use std::path::Path;
use xtask_core::dry_run::DryRun;
use xtask_core::escape::Shown as _;
use xtask_core::exec::Cmd;

/// The plan, for a dry run.
pub(super) fn describe(facts: &RehearsalFacts, commit: &str, rev: &str) -> Result<DryRun> {
    let RehearsalFacts { canary, product, copy, last } = facts;
    let mut plan = DryRun::default();
    let submodules = copy.submodules();
    let named = if rev == commit { String::new() } else { format!(" ({rev})") };
    plan.line("candidate", format!("{commit}{named}, in a copy with its {submodules} submodules"));
    let untagged = product.upstream.as_ref().is_some_and(|upstream| upstream.is_untagged());
    plan.line("checks", format!("upstream's own: {}", checks(untagged)));
    for (name, facts) in [("canary", canary), ("image", product)] {
        let flavor = facts.flavor.as_ref().map(|flavor| format!(", flavor {flavor}"));
        plan.line(
            name,
            format!(
                "recipe {}{}, engine {}: {}",
                facts.recipe.name,
                flavor.unwrap_or_default(),
                facts.engine.kind,
                facts.output.shown()
            ),
        );
    }
    plan.line("against", last.shown());
    plan.line("pin", "stays as it is");
    plan.step("copy the candidate", copy.commands());
    plan.steps_of("canary", &build::describe(canary)?);
    plan.steps_of("candidate", &build::describe(product)?);
    let iso = product.output.join(&product.recipe.iso);
    let program = Cmd::new("diagnose");
    plan.step("inspect the image", inspect(&program, product, &iso));
    if let Some(path) = last.path() {
        plan.step("compare with the last image", compare(&program, path, &iso));
    }
    Ok(plan)
}

/// Upstream's own checks that a build of the candidate makes.
pub(super) fn checks(untagged: bool) -> &'static str {
    if untagged { "all but that of the tag, because there is none" } else { "all" }
}

/// The command that holds an image against the content policy of its recipe.
pub(super) fn inspect(program: &Cmd, product: &BuildFacts, iso: &Path) -> Cmd {
    let mut cmd = program.clone().args(["inspect", "--recipe", &product.recipe.name]);
    if let Some(flavor) = &product.flavor {
        cmd = cmd.args(["--flavor", flavor]);
    }
    cmd.arg(iso)
}

/// The command that says what changed from image `a` to image `b`.
pub(super) fn compare(program: &Cmd, a: &Path, b: &Path) -> Cmd {
    program.clone().arg("inspect").arg(a).arg(b)
}
