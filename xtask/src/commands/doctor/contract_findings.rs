//! Turns the output of a container of the contract into findings.

use super::report::DoctorReport;
use crate::build::BuildFacts;
use crate::engine::advice;
use std::time::Duration;
use xtask_core::exec::Exit;
use xtask_core::failure::Problem;
use xtask_core::rules::DOCTOR;

/// After it, a container is killed. The package cache alone may take half a minute to say that no archive is reached.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(80);

/// One container that ended.
pub(super) struct Ran {
    pub(super) exit: Exit,
    pub(super) lines: Vec<String>,
    pub(super) took: Duration,
}

/// Refusals of the image's entrypoint.sh: words of the message, the broken rule, the fix.
const REFUSALS: [(&str, &str, &str); 3] = [
    ("no terminal", "terminal", "run flag -t is missing: look for a wrapper named docker on PATH"),
    (
        "run with --cgroupns=host",
        "cgroup-namespace",
        "run flag --cgroupns=host is missing, or the engine does not know it (Docker 20.10 and newer do)",
    ),
    ("no cgroup v2", "cgroup-v2", "boot the engine's host with systemd.unified_cgroup_hierarchy=1"),
];

/// Reports what the probe printed. Returns `false` if it printed nothing.
pub(super) fn take(ran: &Ran, facts: &BuildFacts, report: &mut DoctorReport) -> bool {
    let mut told = false;
    for line in &ran.lines {
        if let Some(rest) = line.strip_prefix("@@doctor-engine ") {
            engine_machine(rest, facts, report);
            continue;
        }
        let Some(rest) = line.strip_prefix("@@doctor ") else { continue };
        let mut words = rest.splitn(3, ' ');
        let (name, state, text) = (words.next(), words.next(), words.next().unwrap_or_default());
        let Some(rule) = DOCTOR.iter().find(|rule| Some(rule.name) == name) else { continue };
        told = true;
        match state {
            Some("yes") => report.holds(rule.name, text),
            Some("skipped") => report.skipped(rule.name, text),
            _ => report.broken(Problem::new(text, fix(rule.name)).of(rule.name)),
        }
    }
    told
}

/// Compares the disk and the memory of the engine's machine, seen from the container, with what a
/// build needs.
fn engine_machine(text: &str, facts: &BuildFacts, report: &mut DoctorReport) {
    let mut numbers = text.split(' ').map(|word| word.parse::<u64>().unwrap_or_default());
    let (disk, memory) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let needs = &facts.recipe.needs;
    if gib(disk) < f64::from(crate::build::preflight::ENGINE_GIB as u32)
        && !report.is_broken("disk")
    {
        report.broken(
            Problem::new(
                format!("not enough disk: the container's layer has {:.1} GiB free on the engine's machine", gib(disk)),
                format!("remove unused images and volumes: {}", advice::prune(facts.engine.kind)),
            )
            .of("disk"),
        );
    } else if !report.is_broken("disk") {
        report.holds("disk", format!("{:.1} GiB free on the engine's machine", gib(disk)));
    }
    if gib(memory) < needs.ram_gib as f64 * 0.95 && !report.is_broken("memory") {
        report.broken(
            Problem::new(
                format!("not enough memory: recipe {} needs {} GiB, and the engine's machine has {:.1} GiB", facts.recipe.name, needs.ram_gib, gib(memory)),
                "build on a larger machine",
            )
            .of("memory"),
        );
    }
}

/// Reports that the probe did not finish, and the cause.
pub(super) fn refused(ran: &Ran, told: bool, report: &mut DoctorReport) {
    let last = ran.lines.iter().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or("no output", |line| line.trim());
    for (words, rule, fix) in REFUSALS {
        if !told
            && ran
                .lines
                .iter()
                .any(|line| line.contains("entrypoint: error: ") && line.contains(words))
        {
            report.broken(Problem::new(last, fix).of(rule));
            return;
        }
    }
    let what = if ran.took >= PROBE_TIMEOUT {
        format!("the builder did not end within {} s: {last}", PROBE_TIMEOUT.as_secs())
    } else {
        format!("the builder did not finish the probe ({}): {last}", ran.exit)
    };
    report.broken(Problem::new(what, fix("contract-start")).of("contract-start"));
}

/// The fix for a broken rule of the contract.
pub(super) fn fix(rule: &str) -> &'static str {
    match rule {
        "systemd-pid-1" | "systemd-target" | "user-and-sudo" | "exit-codes" | "stops-clean"
        | "contract-start" => {
            "the image was not built from today's linux/build/docker: cargo xtask image build, and pass --image local"
        }
        "package-cache" => {
            "check the mirror from this machine; rebuild an image whose approx-derivative-maker.socket is not that of linux/build/docker: cargo xtask image build"
        }
        "terminal" => "run flag -t is missing: look for a wrapper named docker on PATH",
        "cgroup-namespace" => {
            "run flag --cgroupns=host is missing: look for a wrapper named docker on PATH"
        }
        "cgroup-writable" => {
            "run flag -v /sys/fs/cgroup:/sys/fs/cgroup:rw is missing, or the engine's host has cgroup v1"
        }
        "loop-devices" => "on the engine's host: modprobe loop; and run flag --privileged",
        "bind-mounts" | "chroot" | "overlay-mounts" => {
            "run flag --privileged is missing, or the engine's host forbids it (AppArmor, user namespaces)"
        }
        "device-nodes" => "pass --output DIR on a file system that is not mounted nodev",
        "sources-mounted" | "output-writable" => {
            "the engine must see this checkout: mount the workspace into the job's container (docs/ci-runner.md), or pass --output DIR"
        }
        "output-on-disk" => "pass --output DIR on a disk's own file system (ext4, xfs, btrfs)",
        "no-secrets" => {
            "remove it from the docker client's config.json (proxies), or from the image"
        }
        _ => "cargo xtask image build",
    }
}
