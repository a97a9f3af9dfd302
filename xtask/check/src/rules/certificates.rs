//! An https package source needs certificates first.

use crate::finding::{Location, Severity};
use crate::model::image::{self, RunText};
use crate::parse::shell::commands;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::pins::env_file;
use xtask_core::rules::Described;

const SCRIPT: &str = "linux/build/docker/install-packages.sh";
const PIN: &str = "linux/build/config/snapshot-pin.env";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "certificates",
        what: "before packages come over https, ca-certificates is installed over plain http from the same snapshot",
        why: "a slim base has no certificates, so the first `apt-get update` over https fails; certificates from elsewhere are not pinned",
        source: "debian:trixie-slim has no ca-certificates",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            SCRIPT,
            "  apt-get install -y --no-install-recommends ca-certificates\n",
            "  true\n",
            "SNAPSHOT_URL",
        ),
        replace(
            "linux/build/docker/Dockerfile.builder",
            "RUN bash",
            "RUN printf 'deb https://snapshot.debian.org/archive/debian/20260508T000000Z trixie main\\n' >/etc/apt/sources.list && apt-get update && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache\nRUN bash",
            "https://snapshot",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let pin = tree.source(PIN);
    // the image gets the pin's URL as APT_SNAPSHOT_URL, and a mirror may be https too
    let pinned_https = pin.is_some_and(|source| {
        env_file::lines(&source.text)
            .any(|(_, key, value)| key == "SNAPSHOT_URL" && value.contains("https:"))
    });
    for image in image::all(tree) {
        let mut have = false;
        for run in image.file.instructions.iter().filter(|i| i.keyword == "RUN") {
            for ran in image.ran(run) {
                step(&ran, &mut have, found);
            }
        }
        let argument = image.file.instructions.iter().find(|i| {
            i.keyword == "ARG" && i.words().iter().any(|word| word.starts_with("APT_SNAPSHOT_URL"))
        });
        if let Some(argument) = argument.filter(|_| !have) {
            let (place, what) = match (pin, pinned_https) {
                (Some(source), true) => {
                    let line = source.lines().find(|(_, line)| line.starts_with("SNAPSHOT_URL="));
                    (
                        Location::line(PIN, line.map_or(1, |(n, _)| n)),
                        "the snapshot is fetched over https",
                    )
                }
                _ => (Location::line(image.path(), argument.line), "APT_SNAPSHOT_URL may be https"),
            };
            let what = format!("{what}, but nothing installs ca-certificates before");
            found.add(
                place,
                what,
                "`apt-get install ca-certificates` with http sources of the same snapshot, first",
                "install it in a first step, as install-packages.sh does",
            );
        }
    }
}

/// Reports https sources that one script's apt uses before certificates are installed.
fn step(ran: &RunText<'_>, have: &mut bool, found: &mut Findings) {
    let mut https: Option<usize> = None;
    for command in commands(&ran.text, ran.line) {
        let args = command.args();
        let apt = matches!(command.program(), "apt-get" | "apt" | "aptitude");
        if apt
            && args.contains(&"install")
            && args.iter().any(|arg| arg.starts_with("ca-certificates"))
        {
            *have = true;
        }
        let texts = command.words.iter().map(|word| word.text.as_str());
        let texts: Vec<&str> = texts.chain(command.heredocs.iter().map(String::as_str)).collect();
        let source = texts.iter().any(|text| {
            text.contains("https://") && (text.contains("deb ") || text.contains("URIs:"))
        });
        if source && https.is_none() {
            https = Some(command.line);
        }
        if apt
            && !*have
            && let Some(line) = https.take()
        {
            found.add(
                Location::line(ran.path, line),
                "an https package source before ca-certificates is installed",
                "http for the first phase, from the same snapshot: apt verifies signatures itself",
                "install ca-certificates over http first",
            );
            return;
        }
    }
}
