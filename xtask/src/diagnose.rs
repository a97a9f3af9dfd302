//! `diagnose` and `inspect` are a program of its own, built when somebody first asks for it.

use crate::cli::PassedOn;
use anyhow::Result;
use base::exec::Cmd;
use base::facts::repo::Repo;
use base::ui::Ui;
use std::path::PathBuf;

const PACKAGE: &str = "diagnose";

/// `cargo xtask diagnose`, `cargo xtask inspect`: hands over to the program, for good.
pub(crate) fn command(repo: &Repo, name: &str, args: &PassedOn) -> Result<()> {
    Err(program(repo).arg(name).args(&args.args).replace())
}

/// The program. Started by cargo, cargo brings it up to date first, in the profile that xtask was
/// built in: what both need is there already, and the readers are optimised in it. Started
/// otherwise, it is the one beside us.
pub(crate) fn program(repo: &Repo) -> Cmd {
    let cargo = std::env::var_os("CARGO");
    match (beside(), cargo) {
        (Some(program), None) => Cmd::new(program),
        (beside, cargo) => {
            if beside.is_none() {
                Ui::new(false).notice("building what reads images; only this first time");
            }
            Cmd::new(cargo.unwrap_or_else(|| "cargo".into()))
                .args(["run", "--quiet", "--locked", "--manifest-path"])
                .arg(repo.root.join("Cargo.toml"))
                .args(["--package", PACKAGE, "--"])
        }
    }
}

fn beside() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(PACKAGE);
    path.exists().then_some(path)
}
