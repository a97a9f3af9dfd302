//! Recipes can be read.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::{SourceFile, SourceTree};
use std::path::Path;
use xtask_core::recipe;
use xtask_core::rules::Described;

const FOLDER: &str = "linux/build/recipes/";
const CANARY: &str = "linux/build/recipes/canary/recipe.toml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "recipes",
        what: "every recipe.toml has known keys with values of the right type, and its entry is a script in its folder",
        why: "a fault in a recipe shows when somebody builds it: the product's in the middle of a release",
        source: "linux/build/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(CANARY, "entry = \"build\"", "entri = \"build\"", "entri"),
        replace(CANARY, "entry = \"build\"", "entry = \"biuld\"", "biuld"),
        replace(CANARY, "released = false", "released = \"no\"", "released"),
        replace(CANARY, "\"docker\"", "\"dokker\"", "dokker"),
        legal(CANARY, "disk_gib = 4", "disk_gib = 40"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for source in tree.sources() {
        let folder =
            source.path.strip_prefix(FOLDER).and_then(|path| path.strip_suffix("/recipe.toml"));
        let Some(name) = folder.filter(|name| !name.contains('/')) else { continue };
        // rule `toml` reports what is not TOML
        if toml_edit::Document::parse(source.text.as_str()).is_ok() {
            recipe(tree, source, name, found);
        }
    }
}

fn recipe(tree: &SourceTree, source: &SourceFile, name: &str, found: &mut Findings) {
    let folder = format!("{FOLDER}{name}");
    let recipe = match recipe::parse(name, Path::new(&folder), &source.text) {
        Ok(recipe) => recipe,
        Err(faults) => {
            let expected = "a recipe as linux/build/README.md describes it";
            found.add_faults(&source.path, faults, expected);
            return;
        }
    };
    let entry = format!("{folder}/{}", recipe.entry);
    if !tree.holds(&entry) {
        let line = source.lines().find(|(_, line)| line.trim_start().starts_with("entry"));
        found.add(
            Location::line(&source.path, line.map_or(1, |(n, _)| n)),
            format!("the entry `{}` does not exist", recipe.entry),
            entry,
            "correct the name, or add the script",
        );
    }
}
