//! Images take packages from apt, and nothing else from the network.

use crate::finding::{Location, Severity};
use crate::model::image;
use crate::parse::shell::{ShellCommand, commands};
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use std::collections::BTreeSet;
use xtask_core::rules::Described;

const FILE: &str = "linux/build/docker/Dockerfile.builder";
const SCRIPT: &str = "linux/build/docker/install-packages.sh";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "image-downloads",
        what: "Dockerfiles and their scripts download nothing but packages of the snapshot, unless a hash is compared (`sha256sum --check`, pip's --require-hashes)",
        why: "the address serves another file tomorrow: the image is built from other inputs than its pin says",
        source: "docs/trust-model.md; docker-library/official-images#16044",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            FILE,
            "STOPSIGNAL",
            "RUN curl -fsSL https://example.org/tool -o /usr/local/bin/tool\nSTOPSIGNAL",
            "curl",
        ),
        replace(
            SCRIPT,
            "apt-get update",
            "apt-get update\ngit clone https://example.org/x /opt/x",
            "git clone",
        ),
        replace(
            FILE,
            "STOPSIGNAL",
            "RUN python3 -m pip install requests\nSTOPSIGNAL",
            "pip install",
        ),
        legal(
            FILE,
            "STOPSIGNAL",
            "RUN curl -fsSLo /x https://example.org/x && echo 'abc  /x' | sha256sum --check\nSTOPSIGNAL",
        ),
        legal(
            FILE,
            "STOPSIGNAL",
            "RUN pip install --require-hashes --requirement /x.txt && curl --version\nSTOPSIGNAL",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for image in image::all(tree) {
        for run in image.file.instructions.iter().filter(|i| i.keyword == "RUN") {
            for ran in image.ran(run) {
                if ran.text.contains("sha256sum") || ran.text.contains("sha512sum") {
                    continue;
                }
                for command in commands(&ran.text, ran.line) {
                    if downloads(&command) && seen.insert((ran.path.to_owned(), command.line)) {
                        found.add(
                            Location::line(ran.path, command.line),
                            format!("`{}` fetches what nothing pins", command.shown()),
                            "a package of the snapshot, or a hash that is compared",
                            "add the package to packages.list, or compare a hash: sha256sum --check",
                        );
                    }
                }
            }
        }
    }
}

fn downloads(command: &ShellCommand) -> bool {
    let args = command.args();
    let has = |words: &[&str]| args.iter().any(|arg| words.contains(arg));
    let url = args.iter().any(|arg| arg.contains("://") || arg.contains('$'));
    match command.program() {
        "curl" | "wget" | "aria2c" => url,
        "git" => has(&["clone", "fetch", "pull"]),
        "npm" | "yarn" | "gem" | "go" | "cargo" | "pipx" => has(&["install", "add", "get"]),
        "pip" | "pip3" => has(&["install"]) && !has(&["--require-hashes"]),
        "python" | "python3" => has(&["pip"]) && has(&["install"]) && !has(&["--require-hashes"]),
        _ => false,
    }
}
