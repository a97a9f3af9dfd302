//! The pinned programs of tools.txt, in a folder of their own: nothing of the machine's changes.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::exec::{Cmd, Signal, StopBy};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::step;
use xtask_core::ui::Ui;

const PINS: &str = include_str!("tools.txt");

/// Installed under the state folder, where tests look for them, too.
pub(super) struct Tools {
    bin: PathBuf,
}

impl Tools {
    /// Installs them unless these very versions are there.
    pub(super) fn installed(repo: &Repo, ui: &Ui) -> Result<Tools> {
        let dir = repo.state().join("tools");
        let tools = Tools { bin: dir.join("bin") };
        // written last: a folder without it is half an installation
        let stamp = dir.join("installed.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == PINS) {
            return Ok(tools);
        }
        drop(fs::remove_file(&stamp));
        fs::create_dir_all(repo.state()).context("cannot make the state folder")?;
        // beside: a new environment empties its folder
        let pins = repo.state().join("tools.txt");
        fs::write(&pins, PINS).with_context(|| format!("cannot write {}", pins.display()))?;
        for cmd in tools.install(&dir, &pins) {
            step::run("tools", &cmd, &StopBy::Signal(Signal::TERM), ui)
                .context("cannot install the pinned tools of xtask/src/commands/test/tools.txt; they come from PyPI: is it reached from here?")
                .or_exit(Code::NotReady)?;
        }
        fs::write(&stamp, PINS).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(tools)
    }

    /// A Python environment, and the wheels into it: whole, by hash, without what they depend on.
    fn install(&self, dir: &Path, pins: &Path) -> [Cmd; 2] {
        let pip = Cmd::new(self.bin.join("python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary", ":all:", "--require-hashes", "--requirement"]);
        [Cmd::new("python3").args(["-m", "venv", "--clear"]).arg(dir), pip.arg(pins)]
    }

    /// One of them.
    pub(super) fn cmd(&self, name: &str) -> Cmd {
        Cmd::new(self.bin.join(name))
    }

    /// `PATH` with all of them first: for a program that calls others.
    pub(super) fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", self.bin.display())
    }
}
