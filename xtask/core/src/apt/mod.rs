//! The host's apt: installing packages (`--setup`), and reading package sources.

mod services;
pub mod sources;

use crate::as_root;
use crate::exec::{Cmd, Signal, StopBy, which};
use crate::facts::host::am_root;
use crate::failure::{Code, Problem, refuse};
use crate::step;
use crate::ui::Ui;
use anyhow::{Result, anyhow};
use services::Services;

/// apt's message when `--no-remove` stops it.
const WOULD_REMOVE: &str = "Packages need to be removed but remove is disabled";

/// The shell line that installs the packages, as root.
pub fn line(packages: &[String]) -> String {
    as_root::line(&[update_cmd(), install_cmd(packages)])
}

fn update_cmd() -> Cmd {
    Cmd::new("apt-get").arg("update")
}

/// Returns true if apt's lists have a package of this name.
pub fn knows(package: &str) -> bool {
    Cmd::new("apt-cache").args(["show", "--no-all-versions", package]).succeeds()
}

/// Never removes a package: the machine may use the one that conflicts with ours.
fn install_cmd(packages: &[String]) -> Cmd {
    Cmd::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends", "--no-remove"])
        .args(packages)
}

/// The problem that packages are missing; `None` if there are none, or if `--setup` (`setup`) can install
/// them.
pub fn problem(missing: &[String], setup: bool) -> Option<Problem> {
    if missing.is_empty() || setup && am_root() {
        return None;
    }
    let what = format!("not installed: {}", missing.join(", "));
    let (what, hint) = if setup {
        (format!("{what}; --setup needs root to install packages"), "")
    } else if am_root() {
        (what, " (or pass --setup)")
    } else {
        (what, "")
    };
    Some(Problem::new(what, format!("{}{hint}", line(missing))).of("packages"))
}

/// Installs packages, and keeps the services that they bring off; does nothing if there are none.
///
/// # Errors
/// A user who is not root; a machine without apt-get; an apt-get that fails. All have exit code
/// [`Code::NotReady`].
pub fn install(packages: &[String], ui: &Ui) -> Result<()> {
    if let Some(problem) = problem(packages, true) {
        return refuse(&[problem]);
    }
    if packages.is_empty() {
        return Ok(());
    }
    if which("apt-get").is_none() {
        return Err(Code::NotReady
            .error(format!("--setup needs apt-get; install by hand: {}", packages.join(", "))));
    }
    run(&update_cmd(), ui)?;
    let services = Services::gather()?;
    let installed = run(&install_cmd(packages), ui);
    // an install that failed may have enabled some of them
    let kept_off = services.keep_off(ui);
    installed.and(kept_off)
}

fn run(cmd: &Cmd, ui: &Ui) -> Result<()> {
    let quiet = cmd.clone().env("DEBIAN_FRONTEND", "noninteractive");
    // INT, not TERM: apt then ends between two packages
    let done = step::run("setup", &quiet, &StopBy::Signal(Signal::INT), ui);
    done.map_err(|error| {
        let removes = error.to_string().contains(WOULD_REMOVE);
        let error = if removes {
            anyhow!(
                "{error:#}\n  apt would have to remove packages that are installed here, and \
                 --setup removes none; choose another --engine, or remove them yourself: {}",
                cmd.to_string().replace(" --no-remove", "").replace(" --yes", "")
            )
        } else {
            error
        };
        Code::NotReady.wrap(error)
    })
}
