//! Dockerfiles can be parsed.

use crate::finding::{Location, Severity};
use crate::model::image;
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const FILE: &str = "linux/build/docker/Dockerfile.builder";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "dockerfile",
        what: "a Dockerfile has only existing instructions, complete here-documents and continuations, and a FROM first",
        why: "the engine reports it too, but only after it has fetched the packages",
        source: "the Dockerfile reference",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(FILE, "STOPSIGNAL SIGRTMIN+3\n", "STOPSIGNAL SIGRTMIN+3\nRUNN true\n", "RUNN"),
        edit(FILE, FixtureEdit::Append("RUN <<EOF\ntrue\n"), "RUN <<EOF"),
        edit(FILE, FixtureEdit::Append("RUN true \\\n"), "RUN true"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for image in image::all(tree) {
        for (line, what) in &image.file.errors {
            found.add(
                Location::line(image.path(), *line),
                what,
                "a Dockerfile's syntax",
                "correct the line",
            );
        }
        if image.file.stages().is_empty() {
            found.add(
                Location::file(image.path()),
                "no FROM instruction",
                "FROM IMAGE",
                "add it, or restore the file",
            );
        }
        let before = image.file.instructions.iter().take_while(|i| i.keyword != "FROM");
        for instruction in before.filter(|i| i.keyword != "ARG") {
            let what = format!("{} before the first FROM", instruction.keyword);
            found.add(
                Location::line(image.path(), instruction.line),
                what,
                "only ARG there",
                "move it below FROM",
            );
        }
    }
}
