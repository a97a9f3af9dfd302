//! `cargo xtask test`: what CI runs, and anybody before a commit.

use crate::cli::TestArgs;
use crate::recipe::Recipe;
use crate::{boot, engine, image};
use anyhow::Result;
use base::exec::{Cmd, StopBy, on_path};
use base::facts::host::Host;
use base::facts::repo::Repo;
use base::failure::{Code, refuse};
use base::setup;
use base::ui::{Ui, answer};

/// What the tests use beyond the engines: scripts are linted, extended attributes are set, disks
/// are made and mounted.
const TOOLS: [&str; 5] = ["attr", "e2fsprogs", "git", "mount", "shellcheck"];

struct Step {
    name: &'static str,
    cmd: Cmd,
}

/// `cargo xtask test [--full]`
pub(crate) fn command(repo: &Repo, args: &TestArgs) -> Result<()> {
    let ui = Ui::new(false);
    let host = Host::gather()?;
    if args.full {
        let missing = host.missing(&packages(repo, &host)?);
        if !args.setup && !missing.is_empty() {
            return refuse(&[setup::problem(&missing)]);
        }
        setup::install(&missing, &ui)?;
    }
    let mut failed = Vec::new();
    for step in plan(repo, args) {
        ui.command(&step.cmd);
        ui.begin(step.name);
        let exit = step.cmd.stream(&StopBy::Signal("TERM"), |line| {
            // as the tool itself prints it: CI reads cargo's closing lines
            answer(format_args!("{line}"));
            Ok(())
        })?;
        ui.end((!exit.ok()).then_some("failed"));
        if !exit.ok() {
            failed.push(step.name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Code::No.error(format!("failed: {}", failed.join(", "))))
}

/// Every package that some test uses: both engines', and QEMU's.
fn packages(repo: &Repo, host: &Host) -> Result<Vec<String>> {
    let mut packages = TOOLS.map(str::to_owned).to_vec();
    packages.extend(engine::private::packages(&host.codename));
    packages.extend(image::build::Plan::packages());
    packages.extend(boot::PACKAGES.map(str::to_owned));
    packages.extend(Recipe::load(repo, "canary")?.needs.host_packages);
    packages.sort();
    packages.dedup();
    Ok(packages)
}

fn plan(repo: &Repo, args: &TestArgs) -> Vec<Step> {
    let cargo = |words: &[&str]| Cmd::new("cargo").args(words).dir(&repo.root);
    let mut lints = cargo(&["clippy", "--workspace", "--all-targets"]);
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        // only there: a warning must not stop somebody in the middle of their work
        lints = lints.args(["--", "-D", "warnings"]);
    }
    let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
    if let Some(filter) = &args.filter {
        tests = tests.arg(filter);
    }
    if args.full {
        // one at a time: they share the engine, and each wants all CPUs
        tests = tests.args(["--", "--include-ignored", "--test-threads=1"]);
    }
    let mut steps = vec![
        Step { name: "format", cmd: cargo(&["fmt", "--all", "--check"]) },
        Step { name: "lints", cmd: lints },
    ];
    if on_path("shellcheck").is_some() || args.full {
        let scripts = "git ls-files -z -- ':!linux/build/derivative-maker' \
             | xargs -0 grep -lEZ '^#!.*(ba)?sh( |$)' | xargs -0 shellcheck -x -P SCRIPTDIR:SCRIPTDIR/..";
        steps.push(Step {
            name: "shell scripts",
            cmd: Cmd::new("bash").args(["-o", "pipefail", "-c", scripts]).dir(&repo.root),
        });
    }
    steps.push(Step { name: "tests", cmd: tests });
    steps
}
