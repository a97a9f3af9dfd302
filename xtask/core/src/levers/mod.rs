//! The levers: what a recipe relies on inside derivative-maker, as data.
//!
//! `levers.toml` of a recipe lists them. A lever has anchors: places in upstream's tree, and what must
//! stand there so that the lever works. [`judge`] compares them with a revision, in git's objects
//! alone, or with the files that a build would copy.

mod anchor;
mod judge;
mod parse;
mod tree;

#[cfg(test)]
mod tests;

pub use anchor::{Anchor, Lever, Levers, Must};
pub use judge::{Judged, Standing, judge, untried};
pub use tree::UpstreamTree;

use crate::facts::repo::Repo;
use crate::failure::{Fault, unreadable};
use crate::recipe::Recipe;
use crate::record_file;
use anyhow::Result;
use std::path::PathBuf;

/// Name of the file in a recipe's folder.
pub const FILE: &str = "levers.toml";

/// Path of the file, if the recipe has one.
pub fn path(recipe: &Recipe) -> Option<PathBuf> {
    let path = recipe.dir.join(FILE);
    path.is_file().then_some(path)
}

/// The levers of a recipe; none if it has no levers.toml.
///
/// # Errors
/// All faults of the file, with their lines.
pub fn load(recipe: &Recipe) -> Result<Levers> {
    let Some(path) = path(recipe) else { return Ok(Levers::default()) };
    parse(&record_file::text(&path)?).map_err(|faults| unreadable(&path, &faults))
}

/// Reads the text of a levers.toml.
///
/// # Errors
/// All its faults.
pub fn parse(text: &str) -> Result<Levers, Vec<Fault>> {
    parse::levers(text)
}

/// The levers of all recipes that build from derivative-maker, each with the recipe's name. A recipe
/// that cannot be read is left out: loading it says why.
pub fn of_all_recipes(repo: &Repo) -> Result<Vec<(String, Levers)>> {
    let recipes = crate::recipe::names(repo)
        .into_iter()
        .filter_map(|name| Recipe::load(repo, &name).ok().filter(|recipe| recipe.needs.submodule));
    recipes.map(|recipe| Ok((recipe.name.clone(), load(&recipe)?))).collect()
}
