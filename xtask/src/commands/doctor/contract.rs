//! Tests the container contract from the inside: runs the container of a build, with a probe in
//! place of the recipe's entry.

use super::contract_findings::{PROBE_TIMEOUT, Ran, fix, refused, take};
use super::report::DoctorReport;
use crate::build::BuildFacts;
use crate::build::plan::Run;
use crate::build::sandbox::Sandbox;
use crate::engine::container::{Container, Network};
use crate::engine::{Client, EngineKind};
use anyhow::{Context as _, Result, bail};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, Instant};
use xtask_core::dry_run::DryRun;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Exit, StopBy};
use xtask_core::facts::archive::{DEBIAN_SUITES, SECURITY_SUITES};
use xtask_core::failure::Problem;
use xtask_core::hash;
use xtask_core::rules::DOCTOR;
use xtask_core::ui::{Ui, span};

const PROBE: &str = include_str!("contract.sh");
const PROBE_NAME: &str = ".doctor-probe";
const NONCE_NAME: &str = ".doctor-nonce";
/// Exit code of a probe that finished.
const PROBED: i32 = 42;
/// Longest time that stopping the container may take.
const STOP: Duration = Duration::from_secs(5);

/// The plan of doctor, for a dry run.
pub(super) fn describe(facts: &BuildFacts) -> Result<DryRun> {
    let mut plan = DryRun::default();
    plan.line("recipe", facts.recipe.name.clone());
    plan.line("engine", facts.engine.kind.name());
    plan.line("rules", format!("{} (docs/rules.md)", DOCTOR.len()));
    let folders = crate::build::plan::Folders::new(facts);
    match crate::build::plan::run(facts, &folders, Network::Bridge)? {
        Run::Container { client, container } => {
            let nonce = "NONCE".to_owned();
            let probe = with_command(facts, &container, &probe_arguments(facts, &nonce));
            plan.line("containers", "4, each for some seconds: the container contract");
            plan.step("look inside the builder", probe.run(&client));
            for more in [&["exit", "0"][..], &["exit", "1"], &["wait"]] {
                let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
                let what = format!("see how it ends: {}", more.join(" "));
                plan.step(what, with_command(facts, &container, &more).run(&client));
            }
        }
        Run::Host(_) => plan.line("containers", "none: engine host runs no container"),
        Run::Vm(_) => plan.line("containers", "none: engine vm runs no container"),
    }
    Ok(plan)
}

pub(super) fn look(facts: &BuildFacts, network: Network, ui: &Ui, report: &mut DoctorReport) {
    let stage = ui.stage("contract");
    let probed = probe(facts, network, ui, report);
    stage.end(probed.is_ok());
    if let Err(error) = probed {
        let fix = "solve that, and run this again; -v shows all output";
        report.broken(Problem::new(format!("{error:#}"), fix).of("contract-start"));
    }
    report.skip_engine_rules("the container ended before this was examined");
}

fn probe(facts: &BuildFacts, network: Network, ui: &Ui, report: &mut DoctorReport) -> Result<()> {
    let site = Sandbox::set_up(facts, network)?;
    let Run::Container { client, container } = &site.run else { return Ok(()) };
    let recipe = site.folders.sources(facts).recipe;
    let nonce = hash::text(&format!("{:?}", std::time::SystemTime::now())).hex().to_owned();
    let path = recipe.join(PROBE_NAME);
    fs::write(&path, PROBE).with_context(|| format!("cannot write {}", path.shown()))?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    fs::write(recipe.join(NONCE_NAME), format!("{nonce}\n"))?;
    fs::set_permissions(recipe.join(NONCE_NAME), Permissions::from_mode(0o644))?;

    let main = with_command(facts, container, &probe_arguments(facts, &nonce));
    ui.command(&main.run(client)); // the other runs differ only in the last arguments
    let ran = run(client, &main, ui, |_| {})?;
    let told = take(&ran, facts, report);
    if !told || ran.exit != Exit::Code(PROBED) {
        refused(&ran, told, report);
        if !told {
            return Ok(());
        }
    } else {
        report.holds("contract-start", format!("the probe ran for {}", span(ran.took)));
    }
    arrived(facts, &site, &nonce, report);
    codes(facts, client, container, &ran, ui, report)?;
    stops(facts, client, container, ui, report)
}

fn probe_arguments(facts: &BuildFacts, nonce: &str) -> Vec<String> {
    if facts.inputs.is_some() {
        // saved inputs hold only what a build once fetched
        return ["probe", nonce, "debian/trixie"].map(str::to_owned).to_vec();
    }
    let security = if facts.mirror.mirror.security.is_some() { &SECURITY_SUITES[..] } else { &[] };
    let suites = DEBIAN_SUITES.iter().map(|suite| format!("debian/{suite}"));
    let suites = suites.chain(security.iter().map(|suite| format!("debian-security/{suite}")));
    ["probe".to_owned(), nonce.to_owned()].into_iter().chain(suites).collect()
}

/// The container of the build with another command.
fn with_command(facts: &BuildFacts, container: &Container, arguments: &[String]) -> Container {
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
    let begun = Instant::now();
    let mut lines = Vec::new();
    // KILL, because the client forwards other signals to systemd, which ignores them
    let seconds = PROBE_TIMEOUT.as_secs().to_string();
    let bounded = cmd.wrapped_by(Cmd::new("timeout").args(["--signal", "KILL", &seconds]));
    let exit = bounded.stream(&StopBy::Command(client.stop(&container.name)), |line| {
        ui.line(line);
        on_line(line);
        lines.push(line.to_owned());
        Ok(())
    });
    let ran = Ran { exit: exit?, lines, took: begun.elapsed() };
    // the container outlives a killed client; an engine that hangs here is a finding
    let remove = client.cmd().args(["rm", "--force", "--volumes", &container.name]);
    if let Ok(Exit::Code(124)) = remove.within_seconds(30).output().map(|probe| probe.exit) {
        bail!("the engine did not remove {} within 30 s", container.name);
    }
    Ok(ran)
}

/// Checks that the builder's output is in this checkout's folder, owned by uid 1000.
fn arrived(facts: &BuildFacts, site: &Sandbox, nonce: &str, report: &mut DoctorReport) {
    let rule = "output-writable";
    if report.is_broken(rule) {
        return;
    }
    let path = site.folders.out().join(NONCE_NAME);
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found.trim() != nonce {
        let what =
            format!("the output of the builder did not arrive in {}", site.folders.out().shown());
        report.broken(Problem::new(what, fix(rule)).of(rule));
        return;
    }
    let owner = fs::metadata(&path).map(|meta| meta.uid()).unwrap_or_default();
    // a rootless podman maps ids
    if owner != 1000 && facts.engine.kind != EngineKind::Podman {
        report.broken(
            Problem::new(
                format!("the output of the builder belongs to uid {owner}: expected 1000"),
                fix(rule),
            )
            .of(rule),
        );
    }
}

fn codes(
    facts: &BuildFacts,
    client: &Client,
    container: &Container,
    probed: &Ran,
    ui: &Ui,
    report: &mut DoctorReport,
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
    facts: &BuildFacts,
    client: &Client,
    container: &Container,
    ui: &Ui,
    report: &mut DoctorReport,
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
            report.holds(rule, format!("stopped in {} ({}), nothing left", span(took), ran.exit));
        }
        Some((done, took)) => {
            let done = if done { "" } else { ", and the engine reported a failure" };
            let what = format!("stopping took {}{done}; {} container left", span(took), left.len());
            report.broken(Problem::new(what, fix(rule)).of(rule));
        }
        None => report
            .skipped(rule, format!("the container ended before it was stopped ({})", ran.exit)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use xtask_core::rules::DOCTOR;

    /// Rules that the probe reports, each with the places where it says `yes`.
    fn rules_of_the_probe() -> BTreeMap<&'static str, usize> {
        let words: Vec<&str> = PROBE.split(|c: char| c.is_whitespace() || c == ';').collect();
        let is_name = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let mut rules = BTreeMap::new();
        for call in words.windows(3).filter(|call| is_name(call[1])) {
            match (call[0], call[2]) {
                ("judge", _) | ("say", "yes") => *rules.entry(call[1]).or_default() += 1,
                ("say", "no" | "skipped") => _ = rules.entry(call[1]).or_default(),
                _ => {}
            }
        }
        rules
    }

    #[test]
    fn the_probe_reports_rules_of_doctor_each_in_one_place() {
        let rules = rules_of_the_probe();
        for (name, places) in &rules {
            assert!(DOCTOR.iter().any(|rule| rule.name == *name), "{name} is no rule of doctor");
            assert_eq!(*places, 1, "{name} is reported as holding in {places} places");
        }
        assert_eq!(rules.len(), 17, "{rules:?}");
    }
}
