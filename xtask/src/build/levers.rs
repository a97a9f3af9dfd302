//! The levers of a recipe in the tree that is about to be built, before anything runs.

use anyhow::Result;
use xtask_core::exec::quoted;
use xtask_core::facts::upstream::{Upstream, UpstreamOrigin};
use xtask_core::failure::Problem;
use xtask_core::levers::{self, UpstreamTree};
use xtask_core::recipe::Recipe;

/// The levers in the files of an upstream.
#[derive(Clone, Default)]
pub(crate) struct LeversHere {
    /// One problem for each anchor that does not hold.
    pub(crate) problems: Vec<Problem>,
    /// Says that nobody ever built an image from upstream's layout.
    pub(crate) notice: Option<String>,
}

/// Judges the levers in the files of `upstream`.
///
/// # Errors
/// levers.toml has faults; a file cannot be read.
pub(super) fn judge(recipe: &Recipe, upstream: &Upstream) -> Result<LeversHere> {
    if upstream.commit.is_none() || !upstream.dir.exists() {
        // there are no files: a problem of its own, or a copy that is still to be made
        return Ok(LeversHere::default());
    }
    let levers = levers::load(recipe)?;
    let tree = UpstreamTree::of_folder(&upstream.dir);
    let judged = levers::judge(&levers, &tree)?;
    // a missing submodule of the pin is a problem of its own
    let missing = match upstream.origin {
        UpstreamOrigin::Submodule | UpstreamOrigin::Candidate => &upstream.packages.missing[..],
        UpstreamOrigin::Caller => &[],
    };
    let is_missing = |path: &str| missing.iter().any(|dir| path.starts_with(&format!("{dir}/")));
    let fallen = judged.into_iter().filter(|one| one.fell() && !is_missing(&one.anchor.path));
    let problems = fallen.map(|judged| {
        let file = upstream.dir.join(&judged.anchor.path);
        Problem::new(
            format!("lever {}: {}", judged.lever.name, judged.shown()),
            format!(
                "read {}; then correct {}, line {}, or mend the recipe",
                quoted(&file),
                quoted(recipe.dir.join(levers::FILE)),
                judged.anchor.line
            ),
        )
    });
    Ok(LeversHere { problems: problems.collect(), notice: levers::untried(&levers, &tree)? })
}
