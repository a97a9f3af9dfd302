//! `cargo xtask test`: formatting, lints and tests, for CI and before a commit.

use super::boot;
use super::tools::Tools;
use crate::{builder_image, engine};
use anyhow::{Context as _, Result, anyhow};
use xtask_core::apt;
use xtask_core::ci;
use xtask_core::exec::{Cmd, Signal, StopBy, which};
use xtask_core::facts::host::Host;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, refuse};
use xtask_core::recipe::Recipe;
use xtask_core::step;
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                    a few minutes, without root or an engine
  cargo xtask test bump               only the tests with `bump` in their names
  cargo xtask test --full --setup     everything, as root, on a real engine
  cargo xtask test --machines         on Debian 12, 13 and forky, with other engines and users";

/// Run format check, lints and tests; with --full, the tests on a real engine too
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TestArgs {
    /// Also run the tests that need root or a real engine, and compile with the oldest Rust that Cargo.toml allows
    #[arg(long)]
    full: bool,
    /// Run only the tests that make Debian machines (12, 13, forky; Docker's packages, podman, systemd, a plain
    /// user) and try xtask there, as root: half an hour or more
    #[arg(long, conflicts_with = "full")]
    machines: bool,
    /// First install missing host packages
    #[arg(long)]
    setup: bool,
    /// Run only the tests whose name contains this
    filter: Option<String>,
}

/// Packages that the tests use, except those of the engines and of QEMU. Tests set extended attributes, make
/// and mount disks, push images, sign archives and tags, install tools and linters (tools.rs), run scripts of
/// recipes, make images for diagnose, and compare it with diffoscope.
const TOOLS: &[&str] = &[
    "attr",
    "bzip2",
    "cpio",
    "curl",
    "diffoscope-minimal",
    "docker-registry",
    "dosfstools",
    "e2fsprogs",
    "gawk",
    "genisoimage",
    "git",
    "gnupg",
    "gpgv",
    "lz4",
    "mount",
    "mtools",
    "openssh-client",
    "openssl",
    "python3-venv",
    "skopeo",
    "squashfs-tools",
    "xorriso",
    "xz-utils",
    "zip",
    "zstd",
];

/// Begin of the names of the tests that make Debian machines (xtask/tests/machines).
const MACHINES: &str = "machines_";

struct TestStep {
    name: &'static str,
    cmd: Cmd,
}

/// `cargo xtask test [--full]`
pub(crate) fn command(repo: &Repo, args: &TestArgs) -> Result<()> {
    let ui = Ui::new(false);
    let host = Host::gather()?;
    let needed = match (args.full, args.machines) {
        (true, _) => packages(repo, &host)?,
        (_, true) => builder_image::build::Plan::packages(),
        _ => Vec::new(),
    };
    let missing = host.missing(&needed);
    if !args.setup {
        refuse(apt::problem(&missing, false).as_slice())?;
    }
    apt::install(&missing, &ui)?;
    let tools = if args.full { Some(Tools::installed(repo, &ui)?) } else { None };
    let mut failed = Vec::new();
    for step in plan(repo, args, tools.as_ref(), &ui)? {
        let stage = ui.stage(step.name);
        ui.command(&step.cmd);
        let exit = step.cmd.stream(&StopBy::Signal(Signal::TERM), |line| {
            // unchanged, because CI reads cargo's last lines
            answer(format_args!("{line}"));
            Ok(())
        })?;
        stage.end(exit.ok());
        if !exit.ok() {
            failed.push(step.name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Code::No.error(format!("failed: {}", failed.join(", "))))
}

/// All packages that tests use, with those of both engines and of QEMU.
fn packages(repo: &Repo, host: &Host) -> Result<Vec<String>> {
    let mut packages = TOOLS.iter().copied().map(str::to_owned).collect::<Vec<_>>();
    packages.extend(engine::private::packages(&host.codename));
    packages.extend(builder_image::build::Plan::packages());
    packages.extend(boot::PACKAGES.map(str::to_owned));
    packages.extend(Recipe::load(repo, "canary")?.needs.host_packages);
    packages.sort();
    packages.dedup();
    Ok(packages)
}

fn plan(repo: &Repo, args: &TestArgs, tools: Option<&Tools>, ui: &Ui) -> Result<Vec<TestStep>> {
    let cargo = |words: &[&str]| Cmd::new("cargo").args(words).current_dir(&repo.root);
    if args.machines {
        let tests = cargo(&["test", "--package", "xtask", "--test", "machines", "--"]);
        let tests = tests.args(["--include-ignored", "--nocapture", "--test-threads", "1"]);
        let cmd = tests.args([args.filter.as_deref().unwrap_or(MACHINES)]);
        return Ok(vec![TestStep { name: "machines", cmd }]);
    }
    let mut lints = cargo(&["clippy", "--workspace", "--all-targets"]);
    if ci::is_ci() {
        // elsewhere a warning must not stop somebody in the middle of their work
        lints = lints.args(["--", "-D", "warnings"]);
    }
    let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
    if let Some(filter) = &args.filter {
        tests = tests.arg(filter);
    }
    if args.full {
        // at the same time; tests that share the engine take a lock
        tests = tests.args(["--", "--include-ignored", "--skip", MACHINES]);
    }
    let mut steps = vec![
        TestStep { name: "format", cmd: cargo(&["fmt", "--all", "--check"]) },
        TestStep { name: "lints", cmd: lints },
    ];
    if args.full && args.filter.is_none() {
        steps.extend(oldest_rust(repo, ui));
    }
    let shellcheck = match tools {
        Some(tools) => Some(Cmd::new(tools.bin.join("shellcheck"))),
        None => which("shellcheck").map(Cmd::new),
    };
    if shellcheck.is_none() {
        let apt = "apt-get install shellcheck";
        ui.notice(&format!("shell scripts are not linted: shellcheck is not installed ({apt})"));
    }
    steps.extend(shellcheck.map(|cmd| TestStep { name: "shell scripts", cmd: scripts(repo, cmd) }));
    // a pin is stale between the merge of a change to docker/ and its bump
    let own = std::env::current_exe().context("cannot find xtask itself")?;
    let check = Cmd::new(own).args(["check", "--fail-on", "error"]).current_dir(&repo.root);
    // with the pinned linters, no rule may be skipped
    let check = if args.full { check.arg("--all-rules") } else { check };
    steps.push(TestStep { name: "check", cmd: check });
    steps.push(TestStep { name: "tests", cmd: tests });
    Ok(steps)
}

/// Compiles everything with the oldest Rust that Cargo.toml allows. The job image of CI has that one, and a newer
/// compiler accepts more.
fn oldest_rust(repo: &Repo, ui: &Ui) -> Option<TestStep> {
    const NAME: &str = "oldest Rust";
    let oldest = concat!(env!("CARGO_PKG_RUST_VERSION"), ".0");
    let install = ["toolchain", "install", "--profile", "minimal", "--no-self-update", oldest];
    let installed = if which("rustup").is_some() {
        step::run(NAME, &Cmd::new("rustup").args(install), &StopBy::Signal(Signal::TERM), ui)
    } else {
        Err(anyhow!("rustup is not installed"))
    };
    if let Err(error) = installed {
        ui.notice(&format!("nobody tried whether this compiles with Rust {oldest}: {error:#}"));
        return None;
    }
    let check = Cmd::new("rustup")
        .args(["run", oldest, "cargo", "check", "--workspace", "--all-targets", "--locked"])
        .env("CARGO_TARGET_DIR", repo.state().join(NAME.replace(' ', "-")));
    Some(TestStep { name: NAME, cmd: check.current_dir(&repo.root) })
}

/// Runs shellcheck on every shell script that git tracks, also where `check` does not look.
fn scripts(repo: &Repo, shellcheck: Cmd) -> Cmd {
    let list = "git ls-files -z -- ':!linux/build/derivative-maker' \
         | xargs -0 grep -lEZ '^#!.*(ba)?sh( |$)' | xargs -0 \"$@\"";
    over(repo, list, &shellcheck.args(["-x", "-P", "SCRIPTDIR:SCRIPTDIR/.."]))
}

/// Runs `tool` on files. `list` is a shell pipeline that passes them to `"$@"`.
fn over(repo: &Repo, list: &str, tool: &Cmd) -> Cmd {
    let shell = Cmd::new("bash").args(["-o", "pipefail", "-c", list, "bash"]);
    tool.clone().wrapped_by(shell).current_dir(&repo.root)
}
