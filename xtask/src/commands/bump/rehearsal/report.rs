//! The result of a rehearsal, as text and as JSON.

use super::plan::checks;
use crate::commands::inspect::InspectAnswer;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::PathBuf;
use xtask_core::dry_run::DryRun;
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, Problem};

/// How a rehearsal ended.
#[derive(Clone, Copy, Debug)]
enum RehearsalOutcome {
    /// A dry run.
    Planned,
    AnchorsFell,
    PolicyViolated,
    Passed,
}

/// An image that was built, and the object that `iso --json` prints of it.
pub(super) struct RehearsedImage {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
    pub(super) json: Value,
}

/// Everything that a rehearsal found.
pub(super) struct RehearsalReport {
    /// True if upstream's check of tags was off.
    pub(super) untagged: bool,
    pub(super) canary: RehearsedImage,
    pub(super) image: RehearsedImage,
    pub(super) inspection: InspectAnswer,
    /// The image that was compared with, or why there is none.
    pub(super) last: String,
    pub(super) against: Option<String>,
    /// The changes from that image, if there is one.
    pub(super) changes: Option<InspectAnswer>,
}

impl RehearsalOutcome {
    /// For programs: never changes.
    fn word(self) -> &'static str {
        match self {
            RehearsalOutcome::Planned => "planned",
            RehearsalOutcome::AnchorsFell => "anchors fell",
            RehearsalOutcome::PolicyViolated => "policy violated",
            RehearsalOutcome::Passed => "passed",
        }
    }
}

/// The result of a rehearsal that fallen anchors ended.
pub(super) fn anchors_fell(fallen: &[String]) -> Value {
    json!({ "outcome": RehearsalOutcome::AnchorsFell.word(), "fallen": fallen })
}

/// The result of a dry run.
pub(super) fn planned(plan: &DryRun, problems: &[Problem]) -> Value {
    let plan = plan.json("bump-submodule", problems);
    json!({ "outcome": RehearsalOutcome::Planned.word(), "plan": plan })
}

impl RehearsalReport {
    fn outcome(&self) -> RehearsalOutcome {
        if self.inspection.yes {
            RehearsalOutcome::Passed
        } else {
            RehearsalOutcome::PolicyViolated
        }
    }

    pub(super) fn json(&self) -> Value {
        let parsed =
            |answer: &InspectAnswer| serde_json::from_str(&answer.text).unwrap_or_default();
        let (inspection, changes): (Value, Option<Value>) =
            (parsed(&self.inspection), self.changes.as_ref().map(parsed));
        json!({
            "outcome": self.outcome().word(),
            "checks": checks(self.untagged),
            "canary": self.canary.json,
            "image": self.image.json,
            "inspection": inspection,
            "against": self.against,
            "changes": changes,
        })
    }

    pub(super) fn text(&self) -> String {
        let image = |name: &str, image: &RehearsedImage| {
            format!("{name}: {}  {}", image.sha256, image.path.shown())
        };
        let mut parts = vec![
            format!("upstream's own checks: {}", checks(self.untagged)),
            image("canary", &self.canary),
            image("candidate", &self.image),
        ];
        let inspection = self.inspection.text.trim_end();
        match &self.changes {
            // the list of contents stands after the first blank line
            Some(changes) => {
                parts.push(inspection.split("\n\n").next().unwrap_or_default().to_owned());
                parts.push(format!("changes since {}:", self.last));
                parts.push(changes.text.trim_end().to_owned());
            }
            None => {
                parts.push(inspection.to_owned());
                parts.push(format!("compared with {}", self.last));
            }
        }
        parts.join("\n")
    }

    /// # Errors
    /// The image does not hold its content policy (exit code 1).
    pub(super) fn verdict(&self) -> Result<()> {
        if self.inspection.yes {
            return Ok(());
        }
        let path = self.image.path.shown();
        Err(Code::No
            .error(format!("the candidate's image does not hold its content policy: {path}")))
    }
}
