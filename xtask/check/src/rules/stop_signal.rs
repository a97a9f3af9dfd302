//! An image with systemd as PID 1 stops by systemd's signal.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::image;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const FILE: &str = "linux/build/docker/Dockerfile.builder";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "stop-signal",
        what: "an image whose entry point is systemd has `STOPSIGNAL SIGRTMIN+3`",
        why: "systemd ignores SIGTERM: every stop takes ten seconds and ends with exit code 137",
        source: "systemd(1); measured on a Docker Engine",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(FILE, "STOPSIGNAL SIGRTMIN+3\n", "", "ENTRYPOINT"),
        replace(FILE, "STOPSIGNAL SIGRTMIN+3\n", "STOPSIGNAL SIGTERM\n", "SIGTERM"),
        replace(
            FILE,
            "ENTRYPOINT [\"/usr/local/sbin/entrypoint.sh\"]",
            "ENTRYPOINT [\"/lib/systemd/systemd\"]\nSTOPSIGNAL SIGINT",
            "SIGINT",
        ),
    ],
};

const EXPECTED: &str = "STOPSIGNAL SIGRTMIN+3";

fn check(tree: &SourceTree, found: &mut Findings) {
    for image in image::all(tree) {
        let stages = image.file.stages();
        let Some(stage) = stages.last() else { continue };
        let Some(entry) = image.systemd_entry(stage) else { continue };
        match stage.last("STOPSIGNAL") {
            None => found.add(
                Location::line(image.path(), entry.line),
                "systemd is PID 1, but there is no STOPSIGNAL",
                EXPECTED,
                Fix::listing("add", &[EXPECTED]),
            ),
            Some(stop) if !matches!(stop.args.trim(), "SIGRTMIN+3" | "RTMIN+3" | "37") => {
                let what = format!(
                    "systemd is PID 1, but `STOPSIGNAL {}` does not stop it",
                    stop.args.trim()
                );
                found.add(
                    Location::line(image.path(), stop.line),
                    what,
                    EXPECTED,
                    Fix::listing("write", &[EXPECTED]),
                );
            }
            Some(_) => {}
        }
    }
}
