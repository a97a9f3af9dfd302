//! The evidence that the review of a bump of derivative-maker needs, and the edits that the bump makes.

use super::edit::FileEdit;
use super::levers::LeverReport;
use super::reviewed::Reviewed;
use super::upstream::{Signature, UpstreamCopy};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xtask_core::facts::repo::Repo;
use xtask_core::ui::{Ui, answer};

/// A candidate, what it changes, and what stands or falls with it.
pub(super) struct BumpEvidence {
    pub(super) rev: String,
    pub(super) commit: String,
    /// The pinned commit.
    pub(super) before: String,
    signature: Signature,
    log: String,
    /// False if the candidate is older than the pin, or upstream rewrote its history.
    descends: bool,
    pub(super) levers: LeverReport,
    /// Files that our entrypoint was reviewed against and that are others now.
    changed: Vec<String>,
    /// New files beside them.
    added: BTreeMap<String, String>,
    diff: String,
    /// The record of the review, and the entrypoint's README.
    pub(super) edits: [FileEdit; 2],
}

impl BumpEvidence {
    /// Compares revision `rev` with the pinned commit `before`.
    ///
    /// # Errors
    /// There is no such revision (exit code 2); a bad signature (1); a file that cannot be edited (3).
    pub(super) fn gather(
        repo: &Repo,
        upstream: &UpstreamCopy,
        before: &str,
        rev: Option<&str>,
    ) -> Result<BumpEvidence> {
        let rev = match rev {
            Some(rev) => rev.to_owned(),
            None => upstream.newest_tag()?,
        };
        let commit = upstream.commit(&rev)?;
        let signature = upstream.signature(&rev)?;
        let log = upstream.log(before, &commit)?;
        let levers = LeverReport::at(repo, upstream, &commit)?;
        let mut record = FileEdit::of(&repo.builder_image())?;
        let mut readme = FileEdit::of(&repo.docker().join("systemd-entrypoint/README.md"))?;
        let reviewed = Reviewed::read(&record)?;
        let now = upstream.blobs(&commit, reviewed.blobs.keys())?;
        let is_other = |path: &&String| now.get(*path) != reviewed.blobs.get(*path);
        let changed: Vec<&String> = reviewed.blobs.keys().filter(is_other).collect();
        let added = upstream.added(&reviewed.commit, &commit)?;
        let diff = upstream.diff(&reviewed.commit, &commit, &changed, &added)?;
        let tag = if upstream.is_tag(&rev) { rev.as_str() } else { "" };
        reviewed.rewrite(&mut record, &mut readme, &commit, tag, &now, &added)?;
        Ok(BumpEvidence {
            descends: upstream.descends(before, &commit),
            before: before.to_owned(),
            changed: changed.into_iter().cloned().collect(),
            edits: [record, readme],
            rev,
            commit,
            signature,
            log,
            levers,
            added,
            diff,
        })
    }

    /// True if the reviewed files are others than those of the record.
    pub(super) fn needs_review(&self) -> bool {
        !self.changed.is_empty() || !self.added.is_empty()
    }

    /// The result of the command for programs; `rehearsal` is null without one.
    pub(super) fn json(&self, dry_run: bool, rehearsal: &Value) -> Value {
        let (state, by) = self.signature.words();
        json!({
            "format": "silvermetal-bump-submodule/1",
            "rev": self.rev, "commit": self.commit, "before": self.before,
            "signature": state, "signed_by": by,
            "log": self.log.lines().collect::<Vec<_>>(),
            "reviewed_files_changed": self.changed,
            "new_files": self.added.keys().collect::<Vec<_>>(),
            "levers_fallen": self.levers.fallen,
            "levers_not_read": self.levers.unread,
            "layouts_untried": self.levers.untried,
            "dry_run": dry_run,
            "rehearsal": rehearsal,
        })
    }

    /// Prints the evidence on stdout.
    pub(super) fn show(&self) {
        answer(format_args!("{} -> {} ({})", self.before, self.commit, self.rev));
        answer(format_args!("signature: {}", self.signature.shown()));
        let log = if self.log.is_empty() { "  (no commits in between)" } else { &self.log };
        answer(format_args!("log:\n{log}"));
        if self.needs_review() {
            let diff = &self.diff;
            answer(format_args!(
                "changes in the files that our entrypoint was reviewed against:\n{diff}"
            ));
        } else {
            answer(format_args!(
                "the files that our entrypoint was reviewed against are unchanged"
            ));
        }
        answer(format_args!("{}", self.levers.shown()));
    }

    /// Prints notes on what needs a second look.
    pub(super) fn warn(&self, ui: &Ui) {
        if !self.descends {
            ui.notice(&format!(
                "{} does not descend from the pinned commit: either it is older, or upstream rewrote its history",
                self.rev
            ));
        }
        if !self.levers.fallen.is_empty() {
            ui.notice(&format!(
                "{} anchors of levers do not hold at {}: no recipe that lists them builds from it before its levers.toml and what it steers follow",
                self.levers.fallen.len(),
                self.rev
            ));
        }
    }
}
