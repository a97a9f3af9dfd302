//! `cargo xtask boot`: boots an image to a login prompt or a desktop, and takes a screenshot.

mod args;
mod console;
mod desktop;
mod facts;
mod firmware;
mod guest;
mod iso;
mod monitor;
mod output;
mod qemu;
mod screen;

pub(crate) use args::BootArgs;

use crate::build::earlier;
use crate::qemu::accel::Accel;
use crate::qemu::runtime::{self, RuntimeDir};
use anyhow::{Context as _, Result};
use facts::BootFacts;
pub(crate) use facts::PACKAGES;
use firmware::Firmware;
use guest::{Boot, BootOutcome};
use output::BootOutput;
use qemu::{Files, Machine};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use xtask_core::dry_run::{DryRun, PlanFormat};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, refuse};
use xtask_core::records::published::Published;
use xtask_core::ui::{Ui, answer, span};
use xtask_core::{apt, interrupt, json};

/// `cargo xtask boot`
pub(crate) fn command(repo: &Repo, args: &BootArgs) -> Result<()> {
    let ui = Ui::new(args.verbose);
    let iso = match &args.iso {
        Some(iso) => iso.clone(),
        None => newest(repo)?,
    };
    let mut facts = BootFacts::gather(repo, &iso, args)?;
    if args.dry_run {
        let shown = PlanFormat { json: args.json, verbose: args.verbose };
        return describe(&facts).show("boot", &facts.problems(args.setup), shown);
    }
    refuse(&facts.problems(args.setup))?;
    if !facts.missing.is_empty() {
        apt::install(&facts.missing, &ui)?;
        facts = BootFacts::gather(repo, &iso, args)?;
        refuse(&facts.problems(false))?;
    }
    if let Some(why) = &facts.accel.why_not_kvm {
        ui.notice(&format!("KVM does not work here, using software emulation: {why}"));
    }

    let results = execute(&facts, args, &ui)?;
    let failures: Vec<String> = results.iter().filter_map(Booted::failure).collect();
    if failures.is_empty() {
        return Ok(());
    }
    let fails = |booted: &Booted| matches!(booted.boot.outcome, BootOutcome::Failed(_));
    let verdict = if results.iter().any(fails) { "does not boot" } else { "may boot or not" };
    Err(Code::No.error(format!("{} {verdict}:\n{}", facts.iso.shown(), failures.join("\n"))))
}

/// The ISO of the newest build whose result is in this checkout.
fn newest(repo: &Repo) -> Result<PathBuf> {
    let newest = earlier::newest(&repo.output(), |_| true);
    let named = newest.map(|build| Published::read(&build.dir).map(|records| records.iso()));
    named.transpose()?.ok_or_else(|| {
        let what = format!("no ISO in {}: name one, or build one", repo.output().shown());
        Code::Usage.error(format!("{what} (cargo xtask iso canary --setup)"))
    })
}

/// The boot with one firmware, and the files that show it.
struct Booted {
    firmware: &'static str,
    accel: Accel,
    boot: Boot,
    screenshot: PathBuf,
    serial_log: PathBuf,
}

fn execute(facts: &BootFacts, args: &BootArgs, ui: &Ui) -> Result<Vec<Booted>> {
    runtime::sweep(&runtime::base(), facts.host.uid);
    let _runtime = RuntimeDir::create(&facts.runtime)?;
    let names: Vec<&str> = facts.firmwares.iter().map(Firmware::name).collect();
    let output = BootOutput::prepare(&facts.output, &names, &facts.host)?;
    let timeout = Duration::from_secs(facts.timeout);
    let mut results = Vec::new();
    for group in facts.firmwares.chunks(facts.at_once()) {
        let names: Vec<&str> = group.iter().map(Firmware::name).collect();
        let stage = ui.stage(format!("boot {}", names.join(", ")).as_str());
        // QEMU is killed when the thread that started it ends: each thread waits for its QEMU
        let booted: Vec<Result<Booted>> = thread::scope(|scope| {
            let output = &output;
            let threads: Vec<_> = group
                .iter()
                .map(|firmware| scope.spawn(move || one(facts, firmware, timeout, output, ui)))
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        let well = booted.iter().all(|booted| booted.as_ref().is_ok_and(Booted::boots));
        stage.end(well);
        interrupt::check()?;
        let (fine, broken): (Vec<_>, Vec<_>) = booted.into_iter().partition(Result::is_ok);
        for booted in fine.into_iter().flatten() {
            if !args.json {
                answer(format_args!("{}", booted.line()));
            }
            results.push(booted);
        }
        broken.into_iter().collect::<Result<Vec<_>>>()?;
    }
    let result = result(facts, &results);
    output.record(&result)?;
    if args.json {
        json::print(&result);
    }
    Ok(results)
}

/// Boots once. Its log and screenshots are kept even if the boot fails or is interrupted.
fn one(
    facts: &BootFacts,
    firmware: &Firmware,
    timeout: Duration,
    output: &BootOutput,
    ui: &Ui,
) -> Result<Booted> {
    let mut machine = machine(facts, firmware);
    let name = firmware.name();
    let boot = boot(&mut machine, timeout, ui);
    // also of a boot that somebody interrupts, because the pictures on the way say how far it came
    output.keep(&machine.files, name)?;
    interrupt::check()?;
    let serial_log = output.serial_log(name);
    let boot = boot.with_context(|| match serial_log.exists() {
        true => format!("{name} (serial log: {})", serial_log.shown()),
        false => name.to_owned(),
    })?;
    Ok(Booted {
        firmware: name,
        accel: machine.accel,
        boot,
        screenshot: output.screenshot(name),
        serial_log,
    })
}

/// Boots. If QEMU fails under KVM, boots once more without KVM.
fn boot(machine: &mut Machine, timeout: Duration, ui: &Ui) -> Result<Boot> {
    let deadline = Instant::now() + timeout;
    match guest::boot(machine, deadline, ui) {
        Err(error)
            if machine.accel == Accel::Kvm
                && Code::of(&error) == Code::Failed
                && Instant::now() < deadline =>
        {
            ui.notice(&format!("KVM failed, trying again with software emulation: {error:#}"));
            machine.accel = Accel::Tcg;
            machine.cpus = Accel::Tcg.cpus(machine.cpus);
            guest::boot(machine, deadline, ui)
        }
        other => other,
    }
}

fn machine(facts: &BootFacts, firmware: &Firmware) -> Machine {
    let accel = facts.accel.accel;
    Machine {
        iso: facts.iso.clone(),
        firmware: firmware.clone(),
        accel,
        cpus: facts.cpus(accel),
        memory: facts.memory(),
        desktop: facts.desktop(),
        files: Files::new(&facts.runtime, firmware),
    }
}

/// The plan, for a dry run.
fn describe(facts: &BootFacts) -> DryRun {
    let mut plan = DryRun::default();
    let names: Vec<&str> = facts.firmwares.iter().map(Firmware::name).collect();
    let at_once = if facts.at_once() > 1 { "at once" } else { "one after the other" };
    plan.line("image", facts.iso.to_string_lossy());
    plan.line("firmware", format!("{} ({at_once})", names.join(", ")));
    let why = facts.accel.why_not_kvm.as_ref().map(|why| format!(" (no KVM: {why})"));
    plan.line("machine", format!("{}{}", facts.accel.accel.name(), why.unwrap_or_default()));
    plan.line("memory", {
        let cpus = facts.cpus(facts.accel.accel);
        format!("{} MiB, {cpus} CPUs for each guest", facts.memory())
    });
    if !facts.missing.is_empty() {
        plan.line("missing", format!("{} (--setup installs them)", facts.missing.join(", ")));
        plan.step("with --setup: install missing packages", apt::line(&facts.missing));
    }
    let end = if facts.desktop() { "the desktop" } else { "the login prompt" };
    plan.line("limit", format!("{} s until {end}", facts.timeout));
    plan.line("result", facts.output.to_string_lossy());
    plan.step(
        "make the folder for the sockets",
        format!("mkdir -m 700 {}", quoted(&facts.runtime)),
    );
    for firmware in &facts.firmwares {
        plan.step(format!("boot under {}", firmware.name()), machine(facts, firmware).cmd());
    }
    plan
}

impl Booted {
    fn boots(&self) -> bool {
        matches!(self.boot.outcome, BootOutcome::LoginPrompt | BootOutcome::Desktop(_))
    }

    /// The result as one line for stdout.
    fn line(&self) -> String {
        let outcome = match &self.boot.outcome {
            BootOutcome::LoginPrompt => format!("login prompt after {}", span(self.boot.took)),
            BootOutcome::Desktop(edge) => format!(
                "desktop after {}: a panel along the {edge} edge, and a pointer that follows the mouse",
                span(self.boot.took)
            ),
            BootOutcome::Failed(why) => format!("no: {why}"),
            BootOutcome::CannotTell(why) => format!("cannot tell: {why}"),
        };
        let accel = self.accel.name();
        format!("{}  {outcome} ({accel})  {}", self.firmware, self.screenshot.shown())
    }

    /// The reason of a failure, with the evidence.
    fn failure(&self) -> Option<String> {
        let why = match &self.boot.outcome {
            BootOutcome::LoginPrompt | BootOutcome::Desktop(_) => return None,
            BootOutcome::Failed(why) => why.clone(),
            BootOutcome::CannotTell(why) => format!("cannot tell: {why}"),
        };
        let mut text = format!(
            "  {}: {why} (after {}, {})",
            self.firmware,
            span(self.boot.took),
            self.accel.name()
        );
        if !self.boot.last_lines.is_empty() {
            text += "\n    last lines on the serial console:";
        }
        for line in &self.boot.last_lines {
            text += &format!("\n      {line}");
        }
        text += &match &self.boot.no_screenshot {
            None => format!("\n    screenshot: {}", self.screenshot.shown()),
            Some(why) => format!("\n    no screenshot: {why}"),
        };
        Some(text + &format!("\n    serial log: {}", self.serial_log.shown()))
    }
}

fn result(facts: &BootFacts, results: &[Booted]) -> serde_json::Value {
    let firmwares: Vec<_> = results
        .iter()
        .map(|booted| {
            let (outcome, saw, why) = match &booted.boot.outcome {
                BootOutcome::LoginPrompt => ("boots", Some("login prompt"), None),
                BootOutcome::Desktop(_) => ("boots", Some("desktop"), None),
                BootOutcome::Failed(why) => ("no", None, Some(why)),
                BootOutcome::CannotTell(why) => ("cannot tell", None, Some(why)),
            };
            serde_json::json!({
                "firmware": booted.firmware,
                "boots": why.is_none(),
                "outcome": outcome,
                "saw": saw,
                "why": why,
                "seconds": booted.boot.took.as_secs_f64(),
                "accelerator": booted.accel.name(),
                "screenshot": booted.boot.no_screenshot.is_none().then(|| booted.screenshot.to_string_lossy()),
                "serial_log": booted.serial_log.to_string_lossy(),
            })
        })
        .collect();
    serde_json::json!({
        "format": output::FORMAT,
        "iso": facts.iso.to_string_lossy(),
        "boots": results.iter().all(Booted::boots),
        "output": facts.output.to_string_lossy(),
        "firmwares": firmwares,
    })
}
