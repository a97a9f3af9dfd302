//! Everything that starts the builder passes the flags that systemd needs.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::command;
use crate::model::container::{ContainerRun, missing_systemd_flags, options};
use crate::parse::rust;
use crate::parse::shell::{ShellCommand, ShellWord, commands};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

/// The code that builds the argv of `docker run`.
const CODE: &str = "xtask/src/engine/container.rs";
const CONTRACT: &str = "linux/build/docker/systemd-entrypoint/README.md";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "systemd-flags",
        what: "code, contract and scripts that start the builder pass --privileged --cgroupns=host --tmpfs /run --tmpfs /run/lock -v /sys/fs/cgroup:/sys/fs/cgroup:rw -t",
        why: "without one of them systemd does not boot, or boots and prints nothing; approx never answers, and `apt-get update` is refused",
        source: "incident 2 in docs/ci-runner.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(CODE, "\"--cgroupns=host\", ", "", ""),
        replace(CODE, "\"--tmpfs\", \"/run/lock\"", "\"--tmpfs\", \"/run/loc\"", ""),
        replace(CODE, " \"-t\",", "", ""),
        replace(CONTRACT, "--cgroupns=host ", "", "--privileged"),
        replace(
            ".gitea/workflows/build-iso-linux.yaml",
            "        run: cargo xtask doctor\n",
            "        run: docker run --privileged --tmpfs /run --tmpfs /run/lock -v /sys/fs/cgroup:/sys/fs/cgroup:rw -t --name a --label b=c silvermetal-builder true\n",
            "docker run",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    code(tree, found);
    contract(tree, found);
    command::each(tree, |path, command| one(path, command, found));
}

/// Checks the argv: the string literals from `"--name"` on, the first option of a build's `docker run`.
fn code(tree: &SourceTree, found: &mut Findings) {
    let Some(source) = tree.source(CODE) else { return };
    let strings = rust::strings(&source.text);
    let words: Vec<ShellWord> =
        strings.iter().map(|(line, text)| ShellWord { text: text.clone(), line: *line }).collect();
    let start = words.iter().position(|word| word.text == "--name");
    let Some(start) = start else {
        let place = Location::file(CODE);
        found.add(
            place,
            "no argv of `docker run` was found here",
            "the argv of a build",
            "update CODE in xtask/check/src/rules/systemd_flags.rs",
        );
        return;
    };
    let rest: Vec<ShellWord> = words[start..]
        .iter()
        .filter(|word| word.text.starts_with(['-', '/', '1', 'S']))
        .cloned()
        .collect();
    // variables between the literals are missing, so each option is parsed on its own
    let mut given = Vec::new();
    for (n, word) in rest.iter().enumerate().filter(|(_, word)| word.text.starts_with('-')) {
        let takes_next = rest.get(n + 1).filter(|next| !next.text.starts_with('-'));
        let pair: Vec<ShellWord> =
            std::iter::once(word.clone()).chain(takes_next.cloned()).collect();
        given.extend(options(&pair).0);
    }
    tell(
        Location::line(CODE, words[start].line),
        &missing_systemd_flags(&given),
        "the `docker run` of a build",
        found,
    );
}

/// Checks the flags in the contract: the first `code` span with --tmpfs.
fn contract(tree: &SourceTree, found: &mut Findings) {
    let Some(source) = tree.source(CONTRACT) else { return };
    let span = source.lines().find_map(|(n, line)| {
        let span = line.split('`').skip(1).step_by(2).find(|span| span.contains("--tmpfs"))?;
        Some((n, span.to_owned()))
    });
    let Some((line, text)) = span else {
        let what = "the contract does not name the container's flags";
        found.add(
            Location::file(CONTRACT),
            what,
            "Run with `--privileged …`",
            "restore the sentence",
        );
        return;
    };
    let words: Vec<ShellWord> = commands(&text, line).into_iter().flat_map(|c| c.words).collect();
    tell(
        Location::line(CONTRACT, line),
        &missing_systemd_flags(&options(&words).0),
        "the contract",
        found,
    );
}

fn one(path: &str, command: &ShellCommand, found: &mut Findings) {
    let Some(run) = ContainerRun::of(command).filter(|run| run.verb != "exec" && run.is_builder())
    else {
        return;
    };
    // rule `terminal` reports -t
    let mut missing = missing_systemd_flags(&run.options);
    missing.retain(|flag| *flag != "-t");
    tell(Location::line(path, run.line), &missing, "this start of the builder", found);
}

fn tell(place: Location, missing: &[&'static str], whose: &str, found: &mut Findings) {
    if !missing.is_empty() {
        let what = format!("{whose} has no {}", missing.join(" and no "));
        found.add(place, what, "all flags of the contract", Fix::listing("add", missing));
    }
}
