//! `cargo xtask inspect`: a command of the program `diagnose`.

use crate::external::{self, External};
use anyhow::Result;
use xtask_core::facts::repo::Repo;
use xtask_core::ui::Ui;

pub(crate) fn command(repo: &Repo, args: &External) -> Result<()> {
    let program = external::diagnose(repo, &Ui::new(false))?;
    Err(program.arg("inspect").args(&args.args).exec())
}
