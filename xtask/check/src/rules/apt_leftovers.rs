//! No image layer keeps apt's logs and caches.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::image;
use crate::parse::pattern::{self, Star};
use crate::parse::shell::{ShellCommand, commands};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const SCRIPT: &str = "linux/build/docker/install-packages.sh";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "apt-leftovers",
        what: "a RUN that installs packages also removes apt's lists and logs, dpkg's log and ldconfig's aux-cache",
        why: "they hold times and inode numbers, so two builds of one image differ; a later RUN only hides them",
        source: "debuerreotype, which makes Debian's reproducible base images",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(SCRIPT, "/var/log/apt ", "", "apt-get install"),
        replace(
            SCRIPT,
            "/var/cache/ldconfig/aux-cache",
            "/var/cache/ldconfig/aux",
            "apt-get install",
        ),
        replace(
            "linux/build/docker/Dockerfile.builder",
            "STOPSIGNAL",
            "RUN apt-get update && \\\n    apt-get install -y vim\nSTOPSIGNAL",
            "apt-get install",
        ),
        replace(
            "linux/build/docker/Dockerfile.builder",
            "STOPSIGNAL",
            "RUN <<EOF\napt-get install -y vim\nEOF\nRUN rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/ldconfig/aux-cache\nSTOPSIGNAL",
            "apt-get install",
        ),
    ],
};

/// A file of each kind that stays behind, and its name in messages.
const LEFTOVERS: [(&str, &str); 4] = [
    ("/var/lib/apt/lists/x_InRelease", "/var/lib/apt/lists/*"),
    ("/var/log/apt/history.log", "/var/log/apt"),
    ("/var/log/dpkg.log", "/var/log/dpkg.log"),
    ("/var/cache/ldconfig/aux-cache", "/var/cache/ldconfig/aux-cache"),
];

fn check(tree: &SourceTree, found: &mut Findings) {
    for image in image::all(tree) {
        for run in image.file.instructions.iter().filter(|i| i.keyword == "RUN") {
            let ran = image.ran(run);
            let all: Vec<(&str, ShellCommand)> = ran
                .iter()
                .flat_map(|ran| commands(&ran.text, ran.line).into_iter().map(|c| (ran.path, c)))
                .collect();
            // even with a mounted cache, logs stay in the layer
            let installs = |c: &ShellCommand| {
                let verbs = ["install", "upgrade", "dist-upgrade", "full-upgrade"];
                match c.program() {
                    "apt-get" | "apt" | "aptitude" => {
                        c.args().iter().any(|arg| verbs.contains(arg))
                    }
                    // `xargs apt-get install`, `sh -c "apt-get install"`
                    _ => c.words.iter().any(|word| word.text.contains("apt-get install")),
                }
            };
            let Some((path, install)) = all.iter().rfind(|(_, c)| installs(c)) else { continue };
            let removes = |file: &str| all.iter().any(|(_, c)| covers(c, file));
            let left: Vec<&'static str> = LEFTOVERS
                .iter()
                .filter(|(file, _)| !removes(file))
                .map(|(_, name)| *name)
                .collect();
            if !left.is_empty() {
                found.add(
                    Location::line(path, install.line),
                    format!("installs packages and leaves {}", left.join(", ")),
                    "all of them removed in the same RUN",
                    Fix::listing("rm -rf", &left),
                );
            }
        }
    }
}

/// True if the command removes the file: by name, by pattern, or by a folder above.
fn covers(command: &ShellCommand, file: &str) -> bool {
    let args = command.args();
    let removes = match command.program() {
        "rm" | "truncate" => true,
        "find" => args.contains(&"-delete") || args.contains(&"rm"),
        _ => false,
    };
    let above = |pattern: &str| {
        let parts = file.match_indices('/').map(|(at, _)| &file[..at]).skip(1);
        parts
            .chain(std::iter::once(file))
            .any(|part| pattern::matches(pattern, part, Star::WithinFolder))
    };
    removes && args.iter().any(|arg| arg.starts_with('/') && above(arg.trim_end_matches('/')))
}
