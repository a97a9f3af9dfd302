//! The runner on this machine: its version and its configuration.

use super::report::DoctorReport;
use std::path::PathBuf;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, quoted, which};
use xtask_core::facts::repo::Repo;
use xtask_core::facts::versions::{PATH, Version, Versions};
use xtask_core::failure::Problem;
use xtask_core::record_file;

const VERSION: &str = "runner-version";
const CONFIG: &str = "runner-config";
/// The runner's program; before 3.0 it had the second name.
const PROGRAMS: [&str; 2] = ["gitea-runner", "act_runner"];
/// The unit of docs/ci-runner.md.
const UNIT: &str = "gitea-runner.service";
/// Set by the runner in every job.
const IN_A_JOB: &str = "GITEA_ACTIONS_RUNNER_VERSION";

pub(super) fn look(repo: &Repo, report: &mut DoctorReport) {
    version(repo, report);
    config(repo, report);
}

fn version(repo: &Repo, report: &mut DoctorReport) {
    let Some((by, said)) = said() else {
        return report.skipped(VERSION, "there is no runner on this machine that could be asked");
    };
    let Some(declared) = Versions::of(repo).runner else {
        return report.skipped(VERSION, format!("{PATH} declares no runner"));
    };
    match Version::said(&said) {
        None => report.skipped(VERSION, format!("{by} says `{}`", said.escape_debug())),
        Some(found) if found < declared => report.broken(
            Problem::new(
                format!("{by} says {found}: {PATH} declares {declared}"),
                "install that release of the runner (docs/ci-runner.md, Registration), and restart it",
            )
            .of(VERSION),
        ),
        Some(found) => report.holds(VERSION, format!("{by} says {found}; {PATH} declares {declared}")),
    }
}

/// Who names the runner's version, and in which words.
fn said() -> Option<(String, String)> {
    if let Some(said) = std::env::var(IN_A_JOB).ok().filter(|said| !said.is_empty()) {
        return Some((IN_A_JOB.to_owned(), said));
    }
    let program = PROGRAMS.into_iter().find(|program| which(program).is_some())?;
    let said = Cmd::new(program).arg("--version").within_seconds(10).read();
    Some((format!("{program} --version"), said.unwrap_or_else(|error| format!("{error:#}"))))
}

fn config(repo: &Repo, report: &mut DoctorReport) {
    let Some(used) = used_config() else {
        return report.skipped(CONFIG, format!("this machine has no service {UNIT}"));
    };
    let own = repo.root.join(".gitea/runner/config.yaml");
    let (Ok(here), Ok(there)) = (record_file::read(&own), record_file::read(&used)) else {
        let what = format!("cannot read {} or {}", used.shown(), own.shown());
        let fix = "copy the repository's file there, as docs/ci-runner.md says; run doctor as root";
        return report.doubtful(Problem::new(what, fix).of(CONFIG));
    };
    if here == there {
        return report.holds(CONFIG, format!("{} is the repository's", used.shown()));
    }
    let what = format!("{} differs from {}", used.shown(), own.shown());
    let fix = format!(
        "diff {0} {1}; then cp {0} {1} && systemctl restart gitea-runner",
        quoted(&own),
        quoted(&used)
    );
    report.doubtful(Problem::new(what, fix).of(CONFIG));
}

/// The configuration of the runner's service.
fn used_config() -> Option<PathBuf> {
    which("systemctl")?;
    let ask = Cmd::new("systemctl").args(["show", "--property=WorkingDirectory", "--value", UNIT]);
    let folder = ask.within_seconds(10).read().ok()?;
    // empty for a unit that does not exist
    folder.trim().starts_with('/').then(|| PathBuf::from(folder.trim()).join("config.yaml"))
}
