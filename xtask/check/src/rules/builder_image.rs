//! build.sh pins the builder image once, by digest.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::pins::build_sh;
use xtask_core::rules::Described;

const PATH: &str = "linux/build/scripts/build.sh";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "builder-image",
        what: "build.sh has one BUILDER_IMAGE default: `registry/name@sha256:<64 hex digits>`, or `unpublished` until an image was pushed",
        why: "tomorrow a tag names another image; with two lines, somebody bumps the wrong one",
        source: "linux/build/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            PATH,
            ":-docker-registry.silverlabs.uk/silvermetal-builder@sha256:",
            ":-docker-registry.silverlabs.uk/silvermetal-builder:latest@sha25:",
            "BUILDER_IMAGE=",
        ),
        replace(
            PATH,
            "@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            ":latest",
            "BUILDER_IMAGE=",
        ),
        replace(
            PATH,
            "export BUILDER_IMAGE\n",
            "export BUILDER_IMAGE\nBUILDER_IMAGE=\"${BUILDER_IMAGE:-unpublished}\"\n",
            "unpublished",
        ),
        replace(
            PATH,
            "docker-registry.silverlabs.uk/silvermetal-builder@",
            "silvermetal-builder@",
            "BUILDER_IMAGE=",
        ),
        replace(PATH, "BUILDER_IMAGE=\"${BUILDER_IMAGE:-", "BUILDER_IMG=\"${BUILDER_IMG:-", ""),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(source) = tree.source(PATH) else { return };
    let expected = "one line BUILDER_IMAGE=\"${BUILDER_IMAGE:-registry/name@sha256:…}\"";
    let fix = "cargo xtask bump-image REF";
    match build_sh::parse(&source.text) {
        Err((0, why)) => {
            // point at the line that was meant, if there is one
            let near = source.lines().find(|(_, line)| {
                !line.trim_start().starts_with('#') && line.contains("BUILDER_IMAGE=")
            });
            let place = near.map_or(Location::file(PATH), |(line, _)| Location::line(PATH, line));
            found.add(place, why, expected, "write the line so, alone and unindented");
        }
        Err((line, why)) => {
            found.add(Location::at(PATH, (line, usize::from(line > 0))), why, expected, fix)
        }
        Ok(None) => {}
        Ok(Some((line, image))) => {
            let (host, _) = image.repository.split_once('/').unwrap_or(("", ""));
            let is_host = host.contains(['.', ':']) || host == "localhost";
            if !is_host {
                let what = format!("`{}` names no registry", image.repository);
                found.add(Location::line(PATH, line), what, expected, fix);
            } else if let Some(tag) = &image.tag {
                let what = format!("the tag `{tag}` has no effect beside the digest");
                found.add(Location::line(PATH, line), what, expected, fix);
            }
        }
    }
    // assignments that the parser's anchored pattern does not match
    let more = source.lines().filter(|(_, line)| {
        let line = line.trim_start().trim_start_matches("export ").trim_start();
        line.starts_with("BUILDER_IMAGE=") && !line.starts_with("BUILDER_IMAGE=\"${BUILDER_IMAGE:-")
    });
    for (line, _) in more {
        found.add(
            Location::line(PATH, line),
            "a second assignment overrides the pin",
            expected,
            "remove the line",
        );
    }
}
