//! Installs pinned programs of other projects, the linters and act, into a folder of their own: nothing on the machine
//! changes.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Signal, StopBy};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::step;
use xtask_core::ui::Ui;

const PINS: &str = concat!(
    include_str!("../../../.gitea/runner/job-image/linters.txt"),
    include_str!("tools.txt")
);

/// The installed programs. They are in the state folder, where tests find them, too.
pub(crate) struct Tools {
    pub(crate) bin: PathBuf,
}

impl Tools {
    /// Installs the programs if they, or these versions, are missing.
    pub(crate) fn installed(repo: &Repo, ui: &Ui) -> Result<Tools> {
        let dir = repo.state().join("tools");
        let tools = Tools { bin: dir.join("bin") };
        // written last, so that an incomplete installation has none
        let stamp = dir.join("installed.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == PINS) {
            return Ok(tools);
        }
        drop(fs::remove_file(&stamp));
        fs::create_dir_all(repo.state()).context("cannot make the state folder")?;
        // not in `dir`, which venv empties
        let pins = repo.state().join("tools.txt");
        fs::write(&pins, PINS).with_context(|| format!("cannot write {}", pins.shown()))?;
        for cmd in tools.install(&dir, &pins) {
            step::run("tools", &cmd, &StopBy::Signal(Signal::TERM), ui)
                .context("cannot install the pinned linters and tools (.gitea/runner/job-image/linters.txt, xtask/src/commands/tools.txt); they come from PyPI, by python3-venv: check that this machine has it and reaches PyPI")
                .or_exit(Code::NotReady)?;
        }
        fs::write(&stamp, PINS).with_context(|| format!("cannot write {}", stamp.shown()))?;
        Ok(tools)
    }

    /// Makes a Python environment, and installs the wheels into it: by hash, and without dependencies.
    fn install(&self, dir: &Path, pins: &Path) -> [Cmd; 2] {
        let pip = Cmd::new(self.bin.join("python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary", ":all:", "--require-hashes", "--requirement"]);
        [Cmd::new("python3").args(["-m", "venv", "--clear"]).arg(dir), pip.arg(pins)]
    }
}
