//! A recipe: a folder under linux/build/recipes with a recipe.toml. A new one needs no Rust.

use crate::engine::EngineKind;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use toml_edit::{Document, Item, TableLike};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;

/// The product; what a command builds when no recipe is named.
pub(crate) const DEFAULT: &str = "base";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) description: String,
    /// Executable inside the folder; gets the stage names as its arguments.
    pub(crate) entry: String,
    /// File name of the ISO that the entry leaves in out/.
    pub(crate) iso: String,
    /// Whether its ISO may ever become a release.
    pub(crate) released: bool,
    /// Which images it can make; empty where there is but one.
    pub(crate) flavors: Vec<String>,
    pub(crate) needs: Needs,
    /// Whether a violation of the content policy fails the build, or is only told; none: there is no
    /// policy. What it asks is read by `inspect` (xtask/diagnose/src/inspect/policy.rs).
    pub(crate) policy_enforced: Option<bool>,
    pub(crate) stages: Vec<Stage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Builds from linux/build/derivative-maker.
    pub(crate) submodule: bool,
    pub(crate) engines: Vec<EngineKind>,
    /// Free disk for work folder and engine, GiB.
    pub(crate) disk_gib: u64,
    pub(crate) ram_gib: u64,
    /// What the stages put into out/tmp, GiB; 0 where the work is done elsewhere. Then `verify` can
    /// give them a file system there that lists its entries in another order.
    pub(crate) scratch_gib: u64,
    /// Debian packages that engine `host` uses.
    pub(crate) host_packages: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) name: String,
    /// Files in out/ that the stage leaves for the ledger.
    pub(crate) produces: Vec<String>,
}

impl Recipe {
    pub(crate) fn load(repo: &Repo, name: &str) -> Result<Recipe> {
        let dir = repo.recipes().join(name);
        let path = dir.join("recipe.toml");
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !plain || !path.is_file() {
            return Err(Code::Usage.error(format!(
                "no recipe `{name}`: expected {} (there are: {})",
                path.display(),
                names(repo).join(", ")
            )));
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let recipe = parse(name, &dir, &text).map_err(|faults| {
            let lines: Vec<String> =
                faults.iter().map(|f| format!("{}{f}", path.display())).collect();
            Code::NotReady.error(lines.join("\n"))
        })?;
        Ok(recipe)
    }
}

/// The recipes that there are, sorted.
pub(crate) fn names(repo: &Repo) -> Vec<String> {
    let entries = std::fs::read_dir(repo.recipes()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("recipe.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Collects faults instead of stopping at the first: each `:LINE: what`.
struct Reader<'a> {
    text: &'a str,
    faults: Vec<String>,
}

fn parse(name: &str, dir: &Path, text: &str) -> Result<Recipe, Vec<String>> {
    let document: Document<&str> = Document::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        vec![format!(":{line}: {}", error.message())]
    })?;
    let mut reader = Reader { text, faults: Vec::new() };
    let root = document.as_table();
    reader.known(
        root,
        &["description", "entry", "iso", "released", "flavors", "needs", "policy", "stage"],
    );
    let mut recipe = Recipe {
        name: name.to_owned(),
        dir: dir.to_owned(),
        description: reader.string(root, "description"),
        entry: reader.string(root, "entry"),
        iso: reader.string(root, "iso"),
        released: reader.boolean(root, "released"),
        flavors: match root.get("flavors") {
            None => Vec::new(),
            Some(_) => reader.strings(root, "flavors"),
        },
        needs: Needs {
            submodule: false,
            engines: Vec::new(),
            disk_gib: 0,
            ram_gib: 0,
            scratch_gib: 0,
            host_packages: Vec::new(),
        },
        policy_enforced: None,
        stages: Vec::new(),
    };
    match root.get("needs").and_then(Item::as_table_like) {
        None => reader.faults.push(":1: expected a table [needs]".into()),
        Some(needs) => {
            reader.known(
                needs,
                &["submodule", "engines", "disk_gib", "ram_gib", "scratch_gib", "host_packages"],
            );
            recipe.needs = Needs {
                submodule: reader.boolean(needs, "submodule"),
                engines: reader.engines(needs),
                disk_gib: reader.number(needs, "disk_gib"),
                ram_gib: reader.number(needs, "ram_gib"),
                scratch_gib: match needs.get("scratch_gib") {
                    Some(_) => reader.number(needs, "scratch_gib"),
                    None => 0,
                },
                host_packages: reader.strings(needs, "host_packages"),
            };
        }
    }
    if let Some(policy) = root.get("policy").and_then(Item::as_table_like) {
        recipe.policy_enforced = Some(reader.boolean(policy, "enforced"));
    }
    match root.get("stage").and_then(Item::as_array_of_tables) {
        None => reader.faults.push(":1: expected at least one [[stage]]".into()),
        Some(stages) => {
            for stage in stages {
                reader.known(stage, &["name", "produces"]);
                recipe.stages.push(Stage {
                    name: reader.string(stage, "name"),
                    produces: reader.strings(stage, "produces"),
                });
            }
        }
    }
    for (what, value) in [("entry", &recipe.entry), ("iso", &recipe.iso)] {
        if value.contains('/') || value.starts_with('.') {
            reader
                .faults
                .push(format!(":1: `{what}` is a file name, without folders: found `{value}`"));
        }
    }
    if reader.faults.is_empty() { Ok(recipe) } else { Err(reader.faults) }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count()
}

impl Reader<'_> {
    fn fault(&mut self, item: Option<&Item>, what: String) {
        let line = item.and_then(Item::span).map_or(1, |span| line_of(self.text, span.start));
        self.faults.push(format!(":{line}: {what}"));
    }

    fn known(&mut self, table: &dyn TableLike, keys: &[&str]) {
        let unknown: Vec<(String, Option<Item>)> = table
            .iter()
            .filter(|(key, _)| !keys.contains(key))
            .map(|(key, item)| (key.to_owned(), Some(item.clone())))
            .collect();
        for (key, item) in unknown {
            self.fault(item.as_ref(), format!("unknown key `{key}`: expected {}", keys.join(", ")));
        }
    }

    fn read<T: Default>(
        &mut self,
        table: &dyn TableLike,
        key: &str,
        kind: &str,
        get: impl Fn(&Item) -> Option<T>,
    ) -> T {
        let item = table.get(key);
        let value = item.and_then(get);
        if value.is_none() {
            self.fault(item, format!("`{key}`: expected {kind}"));
        }
        value.unwrap_or_default()
    }

    fn string(&mut self, table: &dyn TableLike, key: &str) -> String {
        let plain = |item: &Item| item.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        self.read(table, key, "a string", plain)
    }

    fn boolean(&mut self, table: &dyn TableLike, key: &str) -> bool {
        self.read(table, key, "true or false", Item::as_bool)
    }

    fn number(&mut self, table: &dyn TableLike, key: &str) -> u64 {
        self.read(table, key, "a number of GiB", |item| item.as_integer()?.try_into().ok())
    }

    fn strings(&mut self, table: &dyn TableLike, key: &str) -> Vec<String> {
        self.read(table, key, "a list of strings", |item| {
            item.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect()
        })
    }

    fn engines(&mut self, table: &dyn TableLike) -> Vec<EngineKind> {
        let names = EngineKind::ALL.map(|kind| kind.name()).join(", ");
        self.read(table, "engines", &format!("a list out of {names}"), |item| {
            let named = |name: &str| EngineKind::ALL.into_iter().find(|kind| kind.name() == name);
            item.as_array()?.iter().map(|v| named(v.as_str()?)).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
description = "d"
entry = "build"
iso = "x.iso"
released = false
[needs]
submodule = true
engines = ["docker", "private"]
disk_gib = 6
ram_gib = 2
host_packages = ["mmdebstrap"]
[policy]
enforced = true
[[stage]]
name = "rootfs"
produces = ["rootfs.tar"]
"#;

    #[test]
    fn a_recipe_is_read() {
        let recipe = parse("x", Path::new("/r/x"), GOOD).unwrap();
        assert_eq!(recipe.needs.engines, [EngineKind::Docker, EngineKind::Private]);
        assert_eq!(recipe.stages[0].produces, ["rootfs.tar"]);
    }

    #[test]
    fn every_fault_is_named_with_its_line() {
        let bad = GOOD
            .replace("\"build\"", "7")
            .replace("\"private\"", "\"k8s\"")
            .replace("disk_gib", "disk");
        let faults = parse("x", Path::new("/r/x"), &bad).unwrap_err();
        let all = faults.join("\n");
        for expected in [
            ":3: `entry`: expected a string",
            ":8: `engines`: expected a list",
            "unknown key `disk`",
            "`disk_gib`: expected a number",
        ] {
            assert!(all.contains(expected), "{expected} in\n{all}");
        }
        assert!(parse("x", Path::new("/"), "a = ").unwrap_err()[0].starts_with(":1: "));
    }
}
