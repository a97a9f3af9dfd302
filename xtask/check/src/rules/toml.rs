//! The TOML files are TOML.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::versions;
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;
use xtask_core::toml_file::line_of;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "toml",
        what: "recipes, builder-image.toml and .gitea/versions.toml are TOML; .gitea/versions.toml declares `gitea` and `runner`",
        why: "a broken recipe fails only when somebody builds it; without declared versions no rule knows which workflow keys take effect",
        source: "docs/ci-runner.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit("linux/build/recipes/canary/recipe.toml", FixtureEdit::Append("x = = 1\n"), "x = = 1"),
        edit("linux/build/docker/builder-image.toml", FixtureEdit::Append("[pin\n"), "[pin"),
        replace(versions::PATH, "runner = \"", "runner = \"v", "runner ="),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for source in tree.sources().filter(|source| source.path.ends_with(".toml")) {
        if let Err(error) = toml_edit::Document::parse(source.text.as_str()) {
            let start = error.span().map_or(0, |span| span.start.min(source.text.len()));
            let before = &source.text[..start];
            let line = line_of(&source.text, start);
            let column = 1 + before.rsplit('\n').next().map_or(0, |text| text.chars().count());
            found.add(
                Location::at(&source.path, (line, column)),
                format!("not TOML: {}", error.message().replace('\n', ", ")),
                "`key = value` lines and `[table]` headers",
                "correct the line",
            );
        }
    }
    let workflows = tree.sources().any(|s| crate::model::workflow::is_workflow(&s.path));
    if workflows && tree.entry(versions::PATH).is_none() {
        found.add(
            Location::file(versions::PATH),
            "the file is missing",
            "the versions that the workflow is written for",
            Fix::with("printf 'gitea = \"1.26.0\"\\nrunner = \"3.0.0\"\\n' >{}", &[versions::PATH]),
        );
    }
    for (line, what) in versions::read(tree).errors {
        let place = Location::at(versions::PATH, (line, usize::from(line > 0)));
        found.add(
            place,
            what,
            "`gitea = \"1.26.0\"` and `runner = \"3.0.0\"`",
            "declare the versions that are in use",
        );
    }
}
