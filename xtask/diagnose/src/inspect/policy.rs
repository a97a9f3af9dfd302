//! The content policy: what holds for every image is in `rules.rs`; what a recipe decides for itself
//! is the table `[policy]` of its recipe.toml; where there is none, it decides nothing.

use anyhow::{Context as _, Result};
use std::path::PathBuf;
use toml_edit::{Document, Item, TableLike};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;

/// What a recipe asks of its image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) recipe: String,
    pub(crate) path: PathBuf,
    /// Hosts that may be asked for packages; none: the image has no package sources.
    pub(crate) package_hosts: Vec<String>,
    /// Suites that have to be among the enabled sources.
    pub(crate) suites: Vec<String>,
    /// Parameters on the command line of every boot entry.
    pub(crate) kernel_parameters: Vec<String>,
    /// `BIOS`, `UEFI`.
    pub(crate) firmware: Vec<String>,
}

const KEYS: [&str; 5] = ["enforced", "package_hosts", "suites", "kernel_parameters", "firmware"];

impl Policy {
    pub(crate) fn of_recipe(repo: &Repo, recipe: &str) -> Result<Policy> {
        let path = repo.recipes().join(recipe).join("recipe.toml");
        let plain = recipe.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !plain || !path.is_file() {
            return Err(
                Code::Usage.error(format!("no recipe `{recipe}`: expected {}", path.display()))
            );
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut policy = parse(&text).map_err(|faults| {
            let lines: Vec<String> =
                faults.iter().map(|fault| format!("{}{fault}", path.display())).collect();
            Code::NotReady.error(lines.join("\n"))
        })?;
        policy.recipe = recipe.to_owned();
        policy.path = path;
        Ok(policy)
    }
}

/// Every fault as `:LINE: what`.
fn parse(text: &str) -> Result<Policy, Vec<String>> {
    let line =
        |offset: usize| 1 + text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count();
    let document: Document<&str> = Document::parse(text).map_err(|error| {
        vec![format!(":{}: {}", error.span().map_or(1, |span| line(span.start)), error.message())]
    })?;
    let Some(table) = document.get("policy").and_then(Item::as_table_like) else {
        return Ok(Policy::default());
    };
    let mut faults = Vec::new();
    let mut fault = |item: Option<&Item>, what: String| {
        let at = item.and_then(Item::span).map_or(1, |span| line(span.start));
        faults.push(format!(":{at}: {what}"));
    };
    for (key, item) in table.iter().filter(|(key, _)| !KEYS.contains(key)) {
        fault(Some(item), format!("unknown key `{key}`: expected {}", KEYS.join(", ")));
    }
    let mut list = |key: &str| {
        let item = table.get(key);
        strings(table, key).unwrap_or_else(|| {
            fault(item, format!("`{key}`: expected a list of strings"));
            Vec::new()
        })
    };
    let policy = Policy {
        package_hosts: list("package_hosts"),
        suites: list("suites"),
        kernel_parameters: list("kernel_parameters"),
        firmware: list("firmware"),
        ..Policy::default()
    };
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
}

fn strings(table: &dyn TableLike, key: &str) -> Option<Vec<String>> {
    table.get(key)?.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_with_its_line() {
        let faults =
            parse("[policy]\nsuites = 7\npackage_hosts = []\nkernal = []\nfirmware = []\n")
                .unwrap_err()
                .join("\n");
        for expected in [
            ":4: unknown key `kernal`",
            ":2: `suites`: expected a list",
            "`kernel_parameters`: expected",
        ] {
            assert!(faults.contains(expected), "{expected} in\n{faults}");
        }
    }
}
