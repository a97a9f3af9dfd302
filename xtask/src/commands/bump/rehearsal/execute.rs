//! Executes a rehearsal: both builds, the inspection, and the comparison.

use super::facts::RehearsalFacts;
use super::plan;
use super::report::{RehearsalReport, RehearsedImage};
use crate::build::{BuildFacts, Ready};
use crate::commands::inspect::{self, InspectAnswer};
use crate::external;
use anyhow::Result;
use std::time::Instant;
use xtask_core::exec::Cmd;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, in_context};
use xtask_core::ui::Ui;

/// The program that reads images, and the form of its answers.
pub(super) struct RehearsalTools {
    program: Cmd,
    json: bool,
}

impl RehearsalTools {
    /// Builds the program, and has it read the last image.
    ///
    /// # Errors
    /// The program cannot be built (exit code 3); the last image cannot be read (2).
    pub(super) fn prepare(
        repo: &Repo,
        facts: &RehearsalFacts,
        json: bool,
        ui: &Ui,
    ) -> Result<RehearsalTools> {
        let program = external::diagnose(repo, ui)?;
        if let Some(last) = facts.last.path() {
            let read = program.clone().args(["inspect", "--quick"]).arg(last);
            inspect::answer(&read, "look at the last image", ui).or_exit(Code::Usage)?;
        }
        Ok(RehearsalTools { program, json })
    }

    /// Builds the canary and the product, and looks at the product's image. The copy of the candidate is there.
    ///
    /// # Errors
    /// A build fails, or its facts changed meanwhile; an image cannot be read.
    pub(super) fn rehearse(&self, facts: &RehearsalFacts, ui: &Ui) -> Result<RehearsalReport> {
        ui.print("canary");
        let canary = build_one(facts.canary.clone(), ui).map_err(|error| {
            in_context(error, "the canary failed, so it is not the candidate's fault")
        })?;
        ui.print("candidate");
        // with today's facts: the canary may have made the builder image
        let product = facts.product_from(&facts.copy.dir)?;
        let untagged = product.upstream.as_ref().is_some_and(|upstream| upstream.is_untagged());
        let image = build_one(product, ui)
            .map_err(|error| in_context(error, "the candidate's image was not built"))?;
        let inspect = plan::inspect(&self.program, &facts.product, &image.path);
        let inspection = self.ask(inspect, "inspect", ui)?;
        let changes = match facts.last.path() {
            Some(last) => {
                let compare = plan::compare(&self.program, last, &image.path);
                Some(self.ask(compare, "compare", ui)?)
            }
            None => None,
        };
        let last = facts.last.shown();
        let against = facts.last.path().map(|path| path.to_string_lossy().into_owned());
        Ok(RehearsalReport { untagged, canary, image, inspection, last, against, changes })
    }

    fn ask(&self, cmd: Cmd, name: &str, ui: &Ui) -> Result<InspectAnswer> {
        let cmd = if self.json { cmd.arg("--json") } else { cmd };
        inspect::answer(&cmd, name, ui)
    }
}

fn build_one(facts: BuildFacts, ui: &Ui) -> Result<RehearsedImage> {
    let ready = Ready::new(facts, ui)?;
    let built = ready.build(Instant::now(), ui)?;
    let json = built.json(&ready.facts);
    Ok(RehearsedImage { sha256: built.digest.hex().to_owned(), path: built.path, json })
}
