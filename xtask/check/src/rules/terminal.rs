//! No step asks for an interactive container; the builder gets a terminal.

use crate::finding::{Location, Severity};
use crate::model::command;
use crate::model::container::ContainerRun;
use crate::parse::shell::ShellCommand;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "terminal",
        what: "no step or script starts a container with -i, and the builder is started with -t",
        why: "a CI job has no terminal: -it fails with \"the input device is not a TTY\"; without -t systemd's command has no /dev/console, prints nothing and hangs",
        source: "incident 2 in docs/ci-runner.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "        run: cargo xtask doctor\n",
            "        run: |\n          cargo xtask doctor\n          docker run --rm --name a --label b=c \\\n            -it debian:trixie true\n",
            "docker run",
        ),
        replace(
            WORKFLOW,
            "        run: cargo xtask doctor\n",
            "        run: docker run --privileged --cgroupns=host --tmpfs /run --tmpfs /run/lock -v /sys/fs/cgroup:/sys/fs/cgroup:rw --name a --label b=c silvermetal-builder true\n",
            "docker run",
        ),
        replace(
            WORKFLOW,
            "        run: cargo xtask doctor\n",
            "        run: docker exec --interactive abc true\n",
            "docker exec",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    command::each(tree, |path, command| one(path, command, found));
}

fn one(path: &str, command: &ShellCommand, found: &mut Findings) {
    let Some(run) = ContainerRun::of(command) else { return };
    let place = || Location::line(path, run.line);
    if run.has("--interactive") {
        let what = format!("`{}` asks for an interactive terminal (-i)", command.shown());
        found.add(place(), what, "no -i; for the builder, -t alone", "remove -i");
    }
    if run.verb != "exec" && run.is_builder() && !run.has("--tty") {
        let what = format!("`{}` starts the builder without a terminal", command.shown());
        found.add(place(), what, "-t, without -i", "add -t, or better: `cargo xtask iso`");
    }
}
