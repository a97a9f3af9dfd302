//! The copy of a candidate that a rehearsal builds from: a fresh checkout of the commit with its
//! submodules. The submodule's own folder is never touched.

use crate::build::ScratchFolder;
use crate::commands::bump::upstream::UpstreamCopy;
use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::Cmd;
use xtask_core::facts::git::git;
use xtask_core::facts::host::Owner;
use xtask_core::facts::repo::Repo;
use xtask_core::facts::submodule;
use xtask_core::failure::{Problem, refuse};
use xtask_core::interrupt;
use xtask_core::ui::Ui;

/// Seconds that one submodule may take.
const TIMEOUT: u32 = 900;
/// Submodules in a row that may fail before the others are given up: then the network is the fault.
const FAILURES: usize = 5;

/// The plan of a copy.
pub(super) struct CandidateCopy {
    scratch: PathBuf,
    /// The checkout.
    pub(super) dir: PathBuf,
    checkout: Vec<Cmd>,
    /// Path of each submodule, and the command that gets it.
    submodules: Vec<(String, Cmd)>,
}

impl CandidateCopy {
    /// Plans a copy of `commit` in a work folder beside the result `output`.
    ///
    /// # Errors
    /// The remote is not known; git fails.
    pub(super) fn plan(
        repo: &Repo,
        upstream: &UpstreamCopy,
        commit: &str,
        output: &Path,
    ) -> Result<CandidateCopy> {
        let scratch = ScratchFolder::beside(output, "candidate");
        let dir = ScratchFolder::place(&scratch, "derivative-maker");
        let clone = git(upstream.dir()).args(["clone", "--quiet", "--no-checkout"]);
        let checkout = vec![
            clone.arg(upstream.dir()).arg(&dir),
            // a submodule's URL may be relative to the remote
            git(&dir).args(["remote", "set-url", "origin", &submodule::url(&repo.root)?]),
            git(&dir).args(["checkout", "--quiet", "--detach", commit]),
        ];
        let get = |path: &String| {
            git(&dir)
                .args(["submodule", "--quiet", "update", "--init", "--recursive", "--", path])
                .env("GIT_TERMINAL_PROMPT", "0")
                .within_seconds(TIMEOUT)
        };
        let submodules = upstream.submodules(commit)?;
        let submodules = submodules.iter().map(|path| (path.clone(), get(path))).collect();
        Ok(CandidateCopy { scratch, checkout, submodules, dir })
    }

    pub(super) fn submodules(&self) -> usize {
        self.submodules.len()
    }

    /// Every command, one a line.
    pub(super) fn commands(&self) -> String {
        let all = self.checkout.iter().chain(self.submodules.iter().map(|(_, get)| get));
        all.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// Makes the copy. It is removed with the value that is returned.
    ///
    /// # Errors
    /// All submodules that cannot be had (exit code 3); the folder cannot be made.
    pub(super) fn make(&self, repo: &Repo, caller: Owner, ui: &Ui) -> Result<ScratchFolder> {
        let folder = ScratchFolder::create(&self.scratch, repo, caller)?;
        let stage = ui.stage("copy of the candidate");
        let made = self.check_out(ui).and_then(|()| refuse(&self.get_submodules(ui)?));
        stage.end(made.is_ok());
        made.map(|()| folder)
    }

    fn check_out(&self, ui: &Ui) -> Result<()> {
        for cmd in &self.checkout {
            ui.command(cmd);
            cmd.read()?;
        }
        Ok(())
    }

    /// Gets the submodules, one after the other, so that each that cannot be had is named.
    fn get_submodules(&self, ui: &Ui) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        let mut in_a_row = 0;
        for (done, (path, get)) in self.submodules.iter().enumerate() {
            ui.command(get);
            ui.line(path);
            let got = get.output()?;
            interrupt::check()?;
            if got.exit.ok() {
                in_a_row = 0;
                continue;
            }
            // git says the reason first, and then what it means for the submodule
            let why = got.stderr.lines().find(|line| line.starts_with("fatal:"));
            let why = why.or(got.stderr.lines().next_back()).unwrap_or("git gives no reason");
            problems.push(Problem::new(
                format!("the candidate's submodule {} cannot be had: {}", path.as_str().shown(), why.shown()),
                "check the network, or name another place that has its commit: git config --global url.BASE.insteadOf URL",
            ));
            in_a_row += 1;
            let left = self.submodules.len() - done - 1;
            if in_a_row == FAILURES && left > 0 {
                problems.push(Problem::new(
                    format!(
                        "{left} more submodules were not tried, because {FAILURES} in a row failed"
                    ),
                    "mend the others first",
                ));
                break;
            }
        }
        Ok(problems)
    }
}
