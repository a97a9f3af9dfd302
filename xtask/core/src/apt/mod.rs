//! The host's apt: installing packages (`--setup`), and reading package sources.

pub mod sources;

use crate::exec::{Cmd, StopBy, which};
use crate::failure::{Code, Problem};
use crate::ui::Ui;
use anyhow::Result;

/// The line that a person can paste.
pub fn line(packages: &[String]) -> String {
    format!("apt-get update && {}", install_cmd(packages))
}

fn install_cmd(packages: &[String]) -> Cmd {
    Cmd::new("apt-get").args(["install", "--yes", "--no-install-recommends"]).args(packages)
}

pub fn problem(missing: &[String]) -> Problem {
    let what = format!("not installed: {}", missing.join(", "));
    Problem::new(what, format!("{} (or pass --setup)", line(missing))).of("packages")
}

/// Installs `packages`; nothing to do for none.
pub fn install(packages: &[String], ui: &Ui) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if which("apt-get").is_none() {
        return Err(Code::NotReady
            .error(format!("--setup needs apt-get; install by hand: {}", packages.join(", "))));
    }
    for cmd in [Cmd::new("apt-get").arg("update"), install_cmd(packages)] {
        let cmd = cmd.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        ui.command(&cmd);
        ui.begin("setup");
        let mut tail = Vec::new();
        // INT, not TERM: apt then ends between two packages
        let exit = cmd.stream(&StopBy::Signal("INT"), |line| {
            ui.line(line);
            tail.push(line.to_owned());
            Ok(())
        });
        let ok = exit.as_ref().is_ok_and(|exit| exit.ok());
        ui.end((!ok).then_some("failed"));
        let exit = exit?;
        if !ok {
            let tail = tail[tail.len().saturating_sub(10)..].join("\n  ");
            return Err(Code::NotReady.error(format!("`{cmd}` failed ({exit}):\n  {tail}")));
        }
    }
    Ok(())
}
