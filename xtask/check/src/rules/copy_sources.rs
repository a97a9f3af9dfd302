//! The sources of COPY and ADD exist.

use crate::finding::{Location, Severity};
use crate::model::image;
use crate::parse::pattern::{self, Star};
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::{FileContent, SourceTree};
use xtask_core::rules::Described;

const FILE: &str = "linux/build/docker/Dockerfile.builder";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "copy-sources",
        what: "every source of COPY and ADD lies in the build context, and no .dockerignore excludes it",
        why: "the image build stops there with \"not found\", after all the steps before it",
        source: "the Dockerfile reference",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(FILE, "COPY packages.list", "COPY package.list", "COPY package.list"),
        replace(FILE, "COPY packages.list", "COPY ../packages.list", "COPY ../packages.list"),
        edit(
            "linux/build/docker/.dockerignore",
            FixtureEdit::Write(b"# all but\n*\n!install-packages.sh\n!systemd-entrypoint\n"),
            "COPY packages.list",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for image in image::all(tree) {
        let context = image.context();
        let own = format!("{}.dockerignore", image.path());
        let shared = format!("{context}.dockerignore");
        let ignore = tree.source(&own).or_else(|| tree.source(&shared));
        let patterns: Vec<&str> =
            ignore.map(|s| s.text.lines().map(str::trim).collect()).unwrap_or_default();
        let files: Vec<&str> = tree
            .entries()
            .filter(|(_, entry)| !matches!(entry.content, FileContent::Missing))
            .filter_map(|(path, _)| path.strip_prefix(context))
            .collect();
        for (copy, source) in image.copied() {
            let path = image::plain(&source);
            if path.contains('$') {
                continue;
            }
            let mut told = |what: String, expected: &str, fix: &'static str| {
                found.add(Location::line(image.path(), copy.line), what, expected, fix);
            };
            if path.split('/').any(|part| part == "..") {
                told(
                    format!("`{source}` leaves the build context"),
                    "a path below the Dockerfile's folder",
                    "move the file there",
                );
                continue;
            }
            let taken: Vec<&&str> = files.iter().filter(|file| image::takes(&path, file)).collect();
            if taken.is_empty() {
                told(
                    format!("`{source}` is not in {}", context.trim_end_matches('/')),
                    "a file or folder of the build context",
                    "correct the name, or add the file",
                );
            } else if taken.iter().all(|file| ignored(&patterns, file)) {
                told(
                    format!("`{source}` is excluded by a .dockerignore"),
                    "a source that the engine can see",
                    "change the .dockerignore",
                );
            }
        }
    }
}

/// True if a .dockerignore excludes the file. The last matching pattern decides.
fn ignored(patterns: &[&str], file: &str) -> bool {
    let mut ignored = false;
    for line in patterns.iter().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (pattern, keeps) = line.strip_prefix('!').map_or((*line, false), |rest| (rest, true));
        let pattern = image::plain(pattern);
        if image::prefixes(file).any(|part| pattern::matches(&pattern, part, Star::WithinFolder)) {
            ignored = !keeps;
        }
    }
    ignored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerignore() {
        let patterns = ["# x", "**/*.md", "docs", "!docs/keep.md"];
        for (file, expected) in
            [("a/b.md", true), ("docs/x", true), ("docs/keep.md", false), ("a/b", false)]
        {
            assert_eq!(ignored(&patterns, file), expected, "{file}");
        }
    }
}
