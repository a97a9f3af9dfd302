//! The anchors of a recipe inside derivative-maker still stand there.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::{GITLINK, SourceTree};
use std::path::Path;
use xtask_core::facts::git::{SUBMODULE, git};
use xtask_core::levers::{self, Levers, Standing, UpstreamTree};
use xtask_core::recipe;
use xtask_core::rules::Described;

const FOLDER: &str = "linux/build/recipes/";
const CANARY: &str = "linux/build/recipes/canary/recipe.toml";
const LEVERS: &str = "linux/build/recipes/canary/levers.toml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "levers",
        what: "a recipe that builds from derivative-maker lists its levers in levers.toml; if the submodule is checked out, every anchor stands there at the pinned commit",
        why: "upstream moves on, and a setting of ours no longer reaches the inside: the image is another one, and no step fails",
        source: "linux/build/recipes/base/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(CANARY, "submodule = false", "submodule = true", ""),
        edit(LEVERS, FixtureEdit::Write(b"[[lever]]\nname = \"a\"\nwhat = \"b\"\n"), "[[lever]]"),
        edit(LEVERS, FixtureEdit::Write(b"[[leever]]\n"), "[[leever]]"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for source in tree.sources() {
        let Some(name) = source.path.strip_prefix(FOLDER).and_then(|path| path.split_once('/'))
        else {
            continue;
        };
        match name {
            (_, "recipe.toml") => listed(tree, &source.path, &source.text, found),
            (name, levers::FILE) => match levers::parse(&source.text) {
                Ok(levers) => pinned(tree, name, &levers, found),
                // rule `toml` reports what is not TOML
                Err(_) if toml_edit::Document::parse(source.text.as_str()).is_err() => {}
                Err(faults) => {
                    let expected = "levers as linux/build/recipes/base/levers.toml describes them";
                    found.add_faults(&source.path, faults, expected);
                }
            },
            _ => {}
        }
    }
}

/// A recipe that builds from derivative-maker has levers.
fn listed(tree: &SourceTree, path: &str, text: &str, found: &mut Findings) {
    let folder = path.trim_end_matches("/recipe.toml");
    let Ok(recipe) = recipe::parse("", Path::new(folder), text) else { return };
    let file = format!("{folder}/{}", levers::FILE);
    if recipe.needs.submodule && !tree.holds(&file) {
        found.add(
            Location::file(path),
            format!("the recipe builds from derivative-maker, and there is no {file}"),
            "a list of what it relies on there",
            "write it; linux/build/recipes/base/levers.toml says how",
        );
    }
}

/// Compares the levers with the pinned commit, in git's objects.
fn pinned(tree: &SourceTree, recipe: &str, levers: &Levers, found: &mut Findings) {
    let gitlink = tree.entry(SUBMODULE).and_then(|entry| entry.index.as_ref());
    let Some((_, commit)) = gitlink.filter(|(mode, _)| mode == GITLINK) else { return };
    let dir = tree.repo.submodule();
    let is_there = dir.join(".git").exists()
        && git(&dir).args(["cat-file", "-e", &format!("{commit}^{{commit}}")]).succeeds();
    if !is_there {
        return found.note(format!(
            "the levers of recipe {recipe} were not looked at: {SUBMODULE} has no commit {}; git submodule update --init --recursive -- {SUBMODULE}",
            &commit[..12.min(commit.len())]
        ));
    }
    let judged = UpstreamTree::of_commit(&dir, commit, levers)
        .and_then(|upstream| levers::judge(levers, &upstream));
    let file = format!("{FOLDER}{recipe}/{}", levers::FILE);
    let judged = match judged {
        Ok(judged) => judged,
        Err(error) => {
            return found
                .note(format!("the levers of recipe {recipe} were not looked at: {error:#}"));
        }
    };
    for one in judged {
        match one.standing {
            Standing::Holds => {}
            Standing::Unread(_) => found.note(format!("lever {}: {}", one.lever.name, one.shown())),
            Standing::Fell(_) => found.add(
                Location::line(&file, one.anchor.line),
                format!("lever {}: {}", one.lever.name, one.shown()),
                "what the anchor says",
                Fix::with(
                    "read what stands there now (git -C {} show {}), then correct the anchor, or mend the recipe",
                    &[SUBMODULE, &format!("{commit}:{}", one.anchor.path)],
                ),
            ),
        }
    }
}
