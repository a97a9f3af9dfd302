//! The host's apt: installing packages (`--setup`), and reading package sources.

pub mod sources;

use crate::exec::{Cmd, Signal, StopBy, which};
use crate::failure::{Code, OrExit as _, Problem};
use crate::step;
use crate::ui::Ui;
use anyhow::Result;

/// The shell line that installs the packages.
pub fn line(packages: &[String]) -> String {
    format!("apt-get update && {}", install_cmd(packages))
}

fn install_cmd(packages: &[String]) -> Cmd {
    Cmd::new("apt-get").args(["install", "--yes", "--no-install-recommends"]).args(packages)
}

/// The problem that packages are missing.
pub fn problem(missing: &[String]) -> Problem {
    let what = format!("not installed: {}", missing.join(", "));
    Problem::new(what, format!("{} (or pass --setup)", line(missing))).of("packages")
}

/// Installs packages; does nothing if there are none.
///
/// # Errors
/// A machine without apt-get; an apt-get that fails. Both have exit code [`Code::NotReady`].
pub fn install(packages: &[String], ui: &Ui) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if which("apt-get").is_none() {
        return Err(Code::NotReady
            .error(format!("--setup needs apt-get; install by hand: {}", packages.join(", "))));
    }
    for cmd in [Cmd::new("apt-get").arg("update"), install_cmd(packages)] {
        let cmd = cmd.env("DEBIAN_FRONTEND", "noninteractive");
        // INT, not TERM: apt then ends between two packages
        step::run("setup", &cmd, &StopBy::Signal(Signal::INT), ui).or_exit(Code::NotReady)?;
    }
    Ok(())
}
