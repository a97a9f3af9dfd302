//! Only cargo xtask builds and runs containers.

use crate::finding::{Location, Severity};
use crate::model::{container, script};
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "script-docker",
        what: "no script calls `docker run` or `docker build`; cargo xtask does, with the right flags, names, labels and pins",
        why: "a second place misses the next flag or the next digest",
        source: "linux/build/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(
            "linux/build/scripts/build.sh",
            FixtureEdit::Replace("exec cargo", "docker build -t x linux/build/docker\nexec cargo"),
            "docker build",
        ),
        edit(
            "linux/build/scripts/build.sh",
            FixtureEdit::Replace(
                "exec cargo",
                "printf '%s\\n' \"$(sudo podman container run --rm --name a --label b=c debian:trixie id)\"\nexec cargo",
            ),
            "podman container run",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for source in script::scripts(tree) {
        for command in source.commands() {
            let Some((program, verb, _)) = container::verb(command) else { continue };
            if matches!(verb.as_str(), "run" | "create" | "build" | "compose" | "bake") {
                found.add(
                    Location::line(&source.path, command.line),
                    format!("the script calls `{program} {verb}`"),
                    "`cargo xtask iso`, `cargo xtask image build`",
                    "call cargo xtask instead",
                );
            }
        }
    }
}
