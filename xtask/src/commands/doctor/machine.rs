//! This machine: the problems of preflight, and shortages that a build meets later.

use super::report::DoctorReport;
use crate::build::{BuildFacts, preflight};
use crate::engine::EngineKind;
use std::path::Path;
use xtask_core::calendar::utc;
use xtask_core::escape::Shown as _;
use xtask_core::facts::archive::MirrorOrigin;
use xtask_core::facts::host::DiskSpace;
use xtask_core::failure::Problem;

const GIB: u64 = 1 << 30;

pub(super) fn look(facts: &BuildFacts, setup: bool, report: &mut DoctorReport) {
    for problem in preflight::problems(facts, setup) {
        report.broken(problem);
    }
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / GIB as f64);
    let mut holds = |rule, what: String| {
        if !report.is_broken(rule) {
            report.holds(rule, what);
        }
    };
    holds("packages", "all installed".to_owned());
    holds("memory", format!("{} of RAM on this machine", gib(facts.host.memory)));
    let [now, epoch] = [facts.now, facts.epoch.seconds].map(|seconds| utc(seconds as i64));
    holds("clock", format!("{now} UTC is after SOURCE_DATE_EPOCH, {epoch} UTC"));
    holds("ready-to-build", format!("recipe {}, commit {}", facts.recipe.name, facts.source.short));
    disk(facts, report);
    mirror(facts, report);
}

fn disk(facts: &BuildFacts, report: &mut DoctorReport) {
    if report.is_broken("disk") {
        return;
    }
    let free = facts.output_disk.free;
    let verify = 2 * facts.recipe.needs.disk_gib;
    let text = format!("{:.1} GiB free at {}", free as f64 / GIB as f64, facts.output.shown());
    if free < verify * GIB {
        report.doubtful(
            Problem::new(
                format!(
                    "{text}: enough for one build, but `verify` makes two and needs {verify} GiB"
                ),
                "free some, or pass --output DIR on a larger disk",
            )
            .of("disk"),
        );
    } else {
        report.holds("disk", text);
    }
    // the state folder holds saved inputs, logs and the private engine
    let state = facts.repo.state();
    if let Some(disk) = DiskSpace::holding(&state).ok().filter(|disk| disk.free < GIB) {
        report.broken(
            Problem::new(
                format!("not enough disk: {} MiB free at {}", disk.free >> 20, state.shown()),
                format!("free some there: {}", clean(&state)),
            )
            .of("disk"),
        );
    }
}

fn clean(state: &Path) -> String {
    format!("cargo xtask clean --all removes {}", state.shown())
}

fn mirror(facts: &BuildFacts, report: &mut DoctorReport) {
    if report.is_broken("mirror") {
        return;
    }
    let mirror = &facts.mirror.mirror;
    let suites = if mirror.security.is_some() { "with" } else { "without" };
    match mirror.origin {
        MirrorOrigin::Snapshot => report.holds("mirror", format!("{}, {suites} security", mirror.debian)),
        MirrorOrigin::Caller => {
            report.holds("mirror", format!("the mirror of --mirror answers, {suites} security"));
        }
        MirrorOrigin::Inputs { .. } => {
            report.holds("mirror", "no mirror is asked: packages come from the saved inputs".to_owned());
        }
        MirrorOrigin::LaterThanStamp => report.doubtful(
            Problem::new(
                format!(
                    "{} serves a later state than that of the stamp: packages would not come from the pinned snapshot",
                    mirror.debian
                ),
                "point APT_SNAPSHOT_URL at a server that holds the snapshot",
            )
            .of("mirror"),
        ),
        MirrorOrigin::HostApt => report.doubtful(
            Problem::new(
                format!(
                    "the pinned snapshot {} does not answer: packages would come from the mirror of this host's apt ({suites} security)",
                    facts.pin.stamp
                ),
                "check the network; or point APT_SNAPSHOT_URL at another mirror of the snapshot archive",
            )
            .of("mirror"),
        ),
    }
    if facts.engine.kind == EngineKind::Host {
        report.skipped("package-cache", "engine host asks the mirror itself");
    }
}
