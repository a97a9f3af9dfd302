//! The container contract, from the inside: the very `docker run` of a build, with a probe in the
//! place of the recipe's entry.

use super::report::Report;
use super::rest_of_the_engine;
use crate::build::Facts;
use crate::build::plan::Run;
use crate::build::sandbox::Site;
use crate::engine::container::{Container, Network};
use crate::engine::{Client, EngineKind};
use anyhow::{Context as _, Result, bail};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, Instant};
use xtask_core::exec::{Cmd, Exit, StopBy};
use xtask_core::facts::mirror::{DEBIAN_SUITES, SECURITY_SUITES};
use xtask_core::failure::Problem;
use xtask_core::hash;
use xtask_core::rules::DOCTOR;
use xtask_core::ui::{Ui, answer};

const PROBE: &str = include_str!("contract.sh");
const PROBE_NAME: &str = ".doctor-probe";
const NONCE_NAME: &str = ".doctor-nonce";
/// Seconds after which a container that says nothing more is given up.
const PATIENCE: &str = "40";
/// What the probe ends with when it is through.
const PROBED: i32 = 42;
/// The longest that a stop may take.
const STOP: Duration = Duration::from_secs(5);

/// What the image itself refuses (entrypoint.sh), and the rule that this is.
const REFUSALS: [(&str, &str, &str); 3] = [
    (
        "no terminal",
        "terminal",
        "run flag -t is missing: does a wrapper stand in for docker on PATH?",
    ),
    (
        "run with --cgroupns=host",
        "cgroup-namespace",
        "run flag --cgroupns=host is missing, or the engine does not know it (Docker 20.10 and newer do)",
    ),
    ("no cgroup v2", "cgroup-v2", "boot the engine's host with systemd.unified_cgroup_hierarchy=1"),
];

/// One container that ended.
struct Ran {
    exit: Exit,
    lines: Vec<String>,
    took: Duration,
}

/// What a dry run prints.
pub(super) fn describe(facts: &Facts) -> Result<()> {
    let folders = crate::build::plan::Folders::new(facts);
    match crate::build::plan::run(facts, &folders, Network::Bridge)? {
        Run::Container { client, container } => {
            let nonce = "NONCE".to_owned();
            answer(format_args!(
                "{}",
                with_command(facts, &container, &probe_arguments(facts, &nonce)).run(&client)
            ));
            for more in [&["exit", "0"][..], &["exit", "1"], &["wait"]] {
                let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
                answer(format_args!("{}", with_command(facts, &container, &more).run(&client)));
            }
        }
        Run::Host(_) => answer(format_args!("engine host runs no container")),
    }
    Ok(())
}

pub(super) fn look(facts: &Facts, network: Network, ui: &Ui, report: &mut Report) {
    if let Err(error) = probe(facts, network, ui, report) {
        let fix = "mend what it says, and run this again; -v shows all output";
        report.broken(Problem::new(format!("{error:#}"), fix).of("contract-start"));
    }
    rest_of_the_engine(report, "the container did not get that far");
}

fn probe(facts: &Facts, network: Network, ui: &Ui, report: &mut Report) -> Result<()> {
    let site = Site::set_up(facts, network)?;
    let Run::Container { client, container } = &site.run else { return Ok(()) };
    let recipe = site.folders.sources(facts).recipe;
    let nonce = hash::text(&format!("{:?}", std::time::SystemTime::now())).hex().to_owned();
    let path = recipe.join(PROBE_NAME);
    fs::write(&path, PROBE).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    fs::write(recipe.join(NONCE_NAME), format!("{nonce}\n"))?;
    fs::set_permissions(recipe.join(NONCE_NAME), Permissions::from_mode(0o644))?;

    let main = with_command(facts, container, &probe_arguments(facts, &nonce));
    ui.command(&main.run(client)); // the others differ from it in their last words only
    let ran = run(client, &main, ui, |_| {})?;
    let told = take(&ran, facts, report);
    if !told || ran.exit != Exit::Code(PROBED) {
        refused(&ran, told, report);
        if !told {
            return Ok(());
        }
    } else {
        report
            .holds("contract-start", format!("the probe ran for {:.1} s", ran.took.as_secs_f64()));
    }
    arrived(facts, &site, &nonce, report);
    codes(facts, client, container, &ran, ui, report)?;
    stops(facts, client, container, ui, report)
}

fn probe_arguments(facts: &Facts, nonce: &str) -> Vec<String> {
    if facts.inputs.is_some() {
        // what was not fetched then is not there now
        return ["probe", nonce, "debian/trixie"].map(str::to_owned).to_vec();
    }
    let security = if facts.mirror.mirror.security.is_some() { &SECURITY_SUITES[..] } else { &[] };
    let suites = DEBIAN_SUITES.iter().map(|suite| format!("debian/{suite}"));
    let suites = suites.chain(security.iter().map(|suite| format!("debian-security/{suite}")));
    ["probe".to_owned(), nonce.to_owned()].into_iter().chain(suites).collect()
}

/// The build's container, but for the command.
fn with_command(facts: &Facts, container: &Container, arguments: &[String]) -> Container {
    let mut command = vec![format!("{}/recipe/{PROBE_NAME}", facts.conditions.home())];
    command.extend_from_slice(arguments);
    Container { command, ..container.clone() }
}

fn run(
    client: &Client,
    container: &Container,
    ui: &Ui,
    mut on_line: impl FnMut(&str),
) -> Result<Ran> {
    let cmd = container.run(client);
    ui.begin("contract");
    let begun = Instant::now();
    let mut lines = Vec::new();
    // KILL: the client passes anything else on to systemd, which ignores it
    let bounded = cmd.wrapped_by(Cmd::new("timeout").args(["--signal", "KILL", PATIENCE]));
    let exit = bounded.stream(&StopBy::Command(client.stop(&container.name)), |line| {
        ui.line(line);
        on_line(line);
        lines.push(line.to_owned());
        Ok(())
    });
    ui.end(None);
    let ran = Ran { exit: exit?, lines, took: begun.elapsed() };
    // also where its client was killed; an engine that does not even answer to that is a finding
    let remove = client.cmd().args(["rm", "--force", "--volumes", &container.name]);
    if let Ok(Exit::Code(124)) = remove.within_seconds(30).output().map(|probe| probe.exit) {
        bail!("the engine does not remove {} within 30 s", container.name);
    }
    Ok(ran)
}

/// Takes over what the probe says; false if it said nothing.
fn take(ran: &Ran, facts: &Facts, report: &mut Report) -> bool {
    let mut told = false;
    for line in &ran.lines {
        if let Some(rest) = line.strip_prefix("@@doctor-engine ") {
            engines_side(rest, facts, report);
            continue;
        }
        let Some(rest) = line.strip_prefix("@@doctor ") else { continue };
        let mut words = rest.splitn(3, ' ');
        let (name, state, text) = (words.next(), words.next(), words.next().unwrap_or_default());
        let Some(rule) = DOCTOR.iter().find(|rule| Some(rule.name) == name) else { continue };
        told = true;
        match state {
            Some("yes") => report.holds(rule.name, text),
            Some("skipped") => report.not_looked(rule.name, text),
            _ => report.broken(Problem::new(text, fix(rule.name)).of(rule.name)),
        }
    }
    told
}

/// Free disk below the container's root, and RAM: those of the engine's machine.
fn engines_side(text: &str, facts: &Facts, report: &mut Report) {
    let mut numbers = text.split(' ').map(|word| word.parse::<u64>().unwrap_or_default());
    let (disk, memory) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let needs = &facts.recipe.needs;
    if gib(disk) < f64::from(crate::build::preflight::ENGINE_GIB as u32)
        && !report.is_broken("disk")
    {
        report.broken(
            Problem::new(
                format!("not enough disk: the container's layer has {:.1} GiB free on the engine's side", gib(disk)),
                "remove what is unused: docker system prune",
            )
            .of("disk"),
        );
    } else if !report.is_broken("disk") {
        report.holds("disk", format!("{:.1} GiB free on the engine's side", gib(disk)));
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

/// The probe did not come to its end: whose fault that is.
fn refused(ran: &Ran, told: bool, report: &mut Report) {
    let last = ran.lines.iter().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or("it printed nothing", |line| line.trim());
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
    let what = if ran.took >= Duration::from_secs(PATIENCE.parse().unwrap_or(40)) {
        format!("the builder did not end within {PATIENCE} s: {last}")
    } else {
        format!("the builder did not run the probe to its end ({}): {last}", ran.exit)
    };
    report.broken(Problem::new(what, fix("contract-start")).of("contract-start"));
}

/// What the builder wrote is in this checkout's folder, as uid 1000.
fn arrived(facts: &Facts, site: &Site, nonce: &str, report: &mut Report) {
    let rule = "output-writable";
    if report.is_broken(rule) {
        return;
    }
    let path = site.folders.out().join(NONCE_NAME);
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found.trim() != nonce {
        let what = format!(
            "what the builder wrote to its output did not arrive in {}",
            site.folders.out().display()
        );
        report.broken(Problem::new(what, fix(rule)).of(rule));
        return;
    }
    let owner = fs::metadata(&path).map(|meta| meta.uid()).unwrap_or_default();
    // a rootless podman maps ids
    if owner != 1000 && facts.engine.kind != EngineKind::Podman {
        report.broken(
            Problem::new(
                format!("what the builder wrote belongs to uid {owner}: expected 1000"),
                fix(rule),
            )
            .of(rule),
        );
    }
}

fn codes(
    facts: &Facts,
    client: &Client,
    container: &Container,
    probed: &Ran,
    ui: &Ui,
    report: &mut Report,
) -> Result<()> {
    let mut wrong = Vec::new();
    if probed.exit != Exit::Code(PROBED) {
        wrong.push(format!("{PROBED} came back as {}", probed.exit));
    }
    for code in [0, 1] {
        let arguments = ["exit".to_owned(), code.to_string()];
        let ran = run(client, &with_command(facts, container, &arguments), ui, |_| {})?;
        if ran.exit != Exit::Code(code) {
            wrong.push(format!("{code} came back as {}", ran.exit));
        }
    }
    if wrong.is_empty() {
        report.holds("exit-codes", "0, 1 and 42 came back");
    } else {
        report.broken(
            Problem::new(format!("exit codes: {}", wrong.join(", ")), fix("exit-codes"))
                .of("exit-codes"),
        );
    }
    Ok(())
}

fn stops(
    facts: &Facts,
    client: &Client,
    container: &Container,
    ui: &Ui,
    report: &mut Report,
) -> Result<()> {
    let rule = "stops-clean";
    let mut stopped = None;
    let stop = client.stop(&container.name).within_seconds(20);
    let ran = run(client, &with_command(facts, container, &["wait".to_owned()]), ui, |line| {
        if line == "@@doctor-waits" && stopped.is_none() {
            let since = Instant::now();
            let done = stop.output().is_ok_and(|probe| probe.exit.ok());
            stopped = Some((done, since.elapsed()));
        }
    })?;
    let left = client.containers_of(&container.checkout)?;
    let left: Vec<&String> = left.iter().filter(|name| **name == container.name).collect();
    match stopped {
        Some((true, took)) if took < STOP && left.is_empty() => {
            report.holds(
                rule,
                format!("stopped in {:.1} s ({}), nothing left", took.as_secs_f64(), ran.exit),
            );
        }
        Some((done, took)) => {
            let done = if done { "" } else { ", and the engine said that it failed" };
            let what = format!(
                "stopping took {:.1} s{done}; {} container left",
                took.as_secs_f64(),
                left.len()
            );
            report.broken(Problem::new(what, fix(rule)).of(rule));
        }
        None => report
            .not_looked(rule, format!("the container did not stay to be stopped ({})", ran.exit)),
    }
    Ok(())
}

/// What mends a broken rule of the contract.
fn fix(rule: &str) -> &'static str {
    match rule {
        "systemd-pid-1" | "systemd-target" | "user-and-sudo" | "exit-codes" | "stops-clean"
        | "contract-start" => {
            "the image is none of today's linux/build/docker: cargo xtask image build, and --image local"
        }
        "package-cache" => {
            "check the mirror from this machine; is approx-derivative-maker.socket in the image as linux/build/docker has it? cargo xtask image build"
        }
        "terminal" => "run flag -t is missing: does a wrapper stand in for docker on PATH?",
        "cgroup-namespace" => {
            "run flag --cgroupns=host is missing: does a wrapper stand in for docker on PATH?"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_probe_says_is_a_rule_and_each_is_said_once() {
        let mut said: Vec<&str> = PROBE
            .split(|c: char| c.is_whitespace() || c == ';')
            .collect::<Vec<_>>()
            .windows(2)
            .filter(|pair| {
                ["say", "judge"].contains(&pair[0]) && pair[1] != "()" && !pair[1].starts_with('"')
            })
            .map(|pair| pair[1])
            .filter(|word| word.contains('-') || ["terminal", "chroot", "constants"].contains(word))
            .collect();
        said.sort_unstable();
        said.dedup();
        for name in &said {
            assert!(DOCTOR.iter().any(|rule| rule.name == *name), "{name} is no rule");
        }
        assert!(said.len() >= 16, "{said:?}");
    }
}
