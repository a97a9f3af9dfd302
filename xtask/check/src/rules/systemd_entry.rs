//! systemd is the first process of the builder, and runs as root.

use crate::finding::{Location, Severity};
use crate::model::image;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const FILE: &str = "linux/build/docker/Dockerfile.builder";
const ENTRY: &str = "ENTRYPOINT [\"/usr/local/sbin/entrypoint.sh\"]";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "systemd-entry",
        what: "an image whose entry point is systemd has one ENTRYPOINT in exec form (`[\"…\"]`), of a file that it contains, and no USER",
        why: "in shell form /bin/sh is process 1, which passes no signal on; without root systemd does not start: the builder ends at once",
        source: "docker's Dockerfile reference, ENTRYPOINT; linux/build/docker/systemd-entrypoint/README.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(FILE, ENTRY, "ENTRYPOINT /usr/local/sbin/entrypoint.sh", "ENTRYPOINT"),
        replace(FILE, ENTRY, "ENTRYPOINT [\"/usr/local/bin/entrypoint.sh\"]", "ENTRYPOINT"),
        replace(FILE, "STOPSIGNAL", "USER user\nSTOPSIGNAL", "USER user"),
        replace(
            FILE,
            ENTRY,
            "ENTRYPOINT [\"/bin/bash\"]\nENTRYPOINT [\"/usr/local/sbin/entrypoint.sh\"]",
            "/bin/bash",
        ),
        legal(FILE, "STOPSIGNAL", "USER user\nUSER root\nSTOPSIGNAL"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for image in image::all(tree) {
        let stages = image.file.stages();
        let Some(stage) = stages.last() else { continue };
        let Some(entry) = image.systemd_entry(stage) else { continue };
        let mut add = |line: usize, what: String, expected: &str| {
            found.add(Location::line(image.path(), line), what, expected, "correct the line");
        };
        if !entry.args.trim_start().starts_with('[') {
            let what = "the entry point is in shell form: /bin/sh becomes process 1".to_owned();
            add(entry.line, what, "ENTRYPOINT [\"/path\"]");
        } else if let Some(path) = entry.words().first()
            && let Some(name) = image.named_script(path)
        {
            let copies =
                stage.instructions.iter().filter(|i| matches!(i.keyword.as_str(), "COPY" | "ADD"));
            let arrives = copies.filter_map(|copy| copy.words().pop()).any(|to| {
                to == *path
                    || to
                        .strip_suffix('/')
                        .is_some_and(|folder| *path == format!("{folder}/{name}"))
            });
            if !arrives {
                add(
                    entry.line,
                    format!("no COPY puts a file at {path}"),
                    "the path that COPY gives it",
                );
            }
        }
        for other in
            stage.instructions.iter().filter(|i| i.keyword == "ENTRYPOINT" && i.line != entry.line)
        {
            add(
                other.line,
                format!("line {} has the ENTRYPOINT that counts", entry.line),
                "one ENTRYPOINT",
            );
        }
        let root = |name: &str| matches!(name.split(':').next(), Some("root" | "0"));
        if let Some(user) = stage.last("USER").filter(|user| !root(user.args.trim())) {
            let what = format!("systemd would run as `{}`", user.args.trim());
            add(user.line, what, "root, which is the default");
        }
    }
}
