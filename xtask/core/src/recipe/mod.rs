//! Recipes: a recipe is a folder under linux/build/recipes that says how one ISO is built.
//!
//! This module is the only reader of recipe.toml. A new recipe needs no Rust.

mod contents;
mod engine_kind;
mod parse;

pub use contents::{BootNeeds, Needs, Policy, Recipe, Stage};
pub use engine_kind::EngineKind;

use crate::escape::Shown as _;
use crate::facts::repo::Repo;
use crate::failure::{Code, Fault, unreadable};
use crate::names::did_you_mean;
use crate::record_file;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The recipe of the product. Commands build it when the caller names no recipe.
pub const DEFAULT: &str = "base";

impl Recipe {
    /// Reads the recipe called `name`. Its folder, or the recipe.toml in it, names it, too.
    ///
    /// # Errors
    /// A name without a folder is a usage error. Faults in recipe.toml are an error that lists all of
    /// them, one a line, as `PATH:LINE: what`.
    pub fn load(repo: &Repo, name: &str) -> Result<Recipe> {
        let named = name_of_path(repo, name);
        let name = named.as_deref().unwrap_or(name);
        let dir = repo.recipes().join(name);
        let path = toml(&dir);
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !plain || !path.is_file() {
            let names = names(repo);
            return Err(Code::Usage.error(format!(
                "no recipe `{}`: expected a folder with a recipe.toml in {} (there are: {}){}",
                name.shown(),
                repo.recipes().shown(),
                names.join(", ").shown(),
                did_you_mean(name, names.iter().map(String::as_str))
            )));
        }
        let text = record_file::text(&path)?;
        parse::recipe(name, &dir, &text).map_err(|faults| unreadable(&path, &faults))
    }

    /// The recipe.toml.
    pub fn path(&self) -> PathBuf {
        toml(&self.dir)
    }
}

/// Reads the text of a recipe.toml, or returns all its faults.
///
/// # Errors
/// Faults with their lines.
pub fn parse(name: &str, dir: &Path, text: &str) -> Result<Recipe, Vec<Fault>> {
    parse::recipe(name, dir, text)
}

/// Name of the recipe whose folder or recipe.toml `path` is.
fn name_of_path(repo: &Repo, path: &str) -> Option<String> {
    if !path.contains('/') {
        return None;
    }
    let path = Path::new(path).canonicalize().ok()?;
    let dir = if path.ends_with("recipe.toml") { path.parent()? } else { &path };
    let recipes = repo.recipes().canonicalize().ok()?;
    let name = dir.strip_prefix(recipes).ok()?.to_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Names of all recipes, sorted.
pub fn names(repo: &Repo) -> Vec<String> {
    let entries = std::fs::read_dir(repo.recipes()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| toml(&entry.path()).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn toml(dir: &Path) -> PathBuf {
    dir.join("recipe.toml")
}
