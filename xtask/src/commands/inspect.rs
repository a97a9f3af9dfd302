//! `cargo xtask inspect`: a command of the program `diagnose`.

use crate::external;
use anyhow::Result;
use xtask_core::facts::repo::Repo;
use xtask_core::ui::Ui;

pub(crate) fn command(repo: &Repo) -> Result<()> {
    let program = external::diagnose(repo, &Ui::new(false))?;
    Err(program.arg("inspect").args(external::words()).exec())
}
