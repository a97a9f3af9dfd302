//! The verdict on a release: match, mismatch, or could not build.

use super::built;
use super::release::{LEDGER, PublishedRelease};
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::pins::Digest;
use xtask_core::records::TREE;
use xtask_core::records::environment::{ENVIRONMENT, Environment};
use xtask_core::records::published::{Published, packed_manifest};
use xtask_core::records::verdict::{BuildDifference, FileDifference};

/// Most differences of one kind that are printed. rebuild.json has [`RECORDED`] of them.
const SHOWN: usize = 10;
const RECORDED: usize = 1000;

/// Address for reports of a rebuild that differs.
pub(super) const REPORT_TO: &str = "security@silverlabs.uk";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RebuildResult {
    Match,
    Mismatch,
    CouldNotBuild,
}

impl RebuildResult {
    pub(super) const ALL: [RebuildResult; 3] =
        [RebuildResult::Match, RebuildResult::Mismatch, RebuildResult::CouldNotBuild];

    pub(super) fn name(self) -> &'static str {
        match self {
            RebuildResult::Match => "match",
            RebuildResult::Mismatch => "mismatch",
            RebuildResult::CouldNotBuild => "could-not-build",
        }
    }
}

pub(super) enum RebuildVerdict {
    Match { digest: Digest },
    Mismatch { built: Digest, difference: Box<MismatchFacts> },
    CouldNotBuild { why: String },
}

/// Facts of the records about a mismatch, without the published image.
#[derive(Default)]
pub(super) struct MismatchFacts {
    /// `None` if the release has no ledger that can be read.
    difference: Option<BuildDifference>,
    /// Facts that both environments state, and that differ: name, the release's value, ours.
    environment: Vec<(&'static str, String, String)>,
    /// Records that the release lacks or that cannot be read, with what is not known without them.
    missing: Vec<String>,
}

/// Compares the build with the release. `ours` are the records of the build, and `published` is the
/// folder with the records of the release.
pub(super) fn of(
    release: &PublishedRelease,
    built: &Digest,
    ours: &Published,
    published: &Path,
) -> Result<RebuildVerdict> {
    if release.contradictions.is_empty() && release.published.as_ref() == Some(built) {
        return Ok(RebuildVerdict::Match { digest: built.clone() });
    }
    let moved = |field: &str| release.info.get(field) != ours.info.get(field);
    // only the pinned snapshot keeps all packages of the release available
    let unpinned = release.info.get("Apt-Pinned") != "yes" || ours.info.get("Apt-Pinned") != "yes";
    let consistent = release.contradictions.is_empty();
    if consistent && unpinned && (moved("InRelease") || moved("Package-List-Sha256")) {
        return Ok(RebuildVerdict::CouldNotBuild {
            why: "the release was not built from the pinned snapshot, and its mirror has \
                  other packages now"
                .to_owned(),
        });
    }
    let difference = MismatchFacts::gather(release, ours, published);
    Ok(RebuildVerdict::Mismatch { built: built.clone(), difference: Box::new(difference) })
}

impl MismatchFacts {
    fn gather(release: &PublishedRelease, ours: &Published, published: &Path) -> MismatchFacts {
        let mut facts = MismatchFacts::default();
        facts.compare_records(release, ours, published);
        match release.record(ENVIRONMENT).map(Environment::parse) {
            None => facts.missing.push(format!(
                "it has no {ENVIRONMENT}: what was different about the machine that built it is not known"
            )),
            Some(Err(why)) => facts.missing.push(format!("{ENVIRONMENT} cannot be read: {why:#}")),
            Some(Ok(theirs)) => {
                let here = built::environment_of(&ours.dir);
                let pairs = theirs.differences(&here).into_iter();
                facts.environment =
                    pairs.map(|(name, a, b)| (name, a.to_owned(), b.to_owned())).collect();
            }
        }
        facts
    }

    fn compare_records(&mut self, release: &PublishedRelease, ours: &Published, published: &Path) {
        if release.record(LEDGER).is_none() {
            self.missing.push(format!("it has no {LEDGER}: the stage that differs is not known"));
            return;
        }
        let theirs = match Published::read(published) {
            Ok(theirs) => theirs,
            Err(why) => return self.missing.push(format!("its records cannot be read: {why:#}")),
        };
        let compared = BuildDifference::between(&theirs, ours).unwrap_or_else(|why| {
            self.missing.push(format!("its manifests cannot be read: {why:#}"));
            BuildDifference::without_files(&theirs, ours)
        });
        let trees = compared.files.iter().filter(|file| file.path.ends_with(TREE));
        let manifests = trees.map(|file| packed_manifest(&file.path));
        for name in manifests.filter(|name| release.record(name).is_none()) {
            self.missing.push(format!(
                "it has no {}: the files of that tree that differ are not known",
                name.shown()
            ));
        }
        self.difference = Some(compared);
    }

    fn text(&self) -> String {
        let mut text = self.difference.as_ref().map(describe).unwrap_or_default();
        for (name, theirs, ours) in &self.environment {
            text += &format!("  another {name}: {} → {}\n", theirs.shown(), ours.shown());
        }
        for line in &self.missing {
            text += &format!("  the release tells less than it could: {line}\n");
        }
        text
    }

    fn value(&self) -> Value {
        let difference = self.difference.as_ref();
        let files = difference.map_or(&[][..], |difference| &difference.files);
        let file = |file: &FileDifference| json!({ "path": file.path, "what": what(file) });
        json!({
            "stage": difference.and_then(|difference| difference.stage.as_deref()),
            "count": files.len(),
            "files": files.iter().take(RECORDED).map(file).collect::<Vec<_>>(),
            "inputs": difference.map_or(&[][..], |difference| &difference.inputs).iter()
                .map(|i| json!({ "what": i.what, "published": i.a, "rebuilt": i.b }))
                .collect::<Vec<_>>(),
            "environment": self.environment.iter()
                .map(|(name, a, b)| json!({ "what": name, "published": a, "rebuilt": b }))
                .collect::<Vec<_>>(),
            "missing": self.missing,
        })
    }
}

impl RebuildVerdict {
    pub(super) fn result(&self) -> RebuildResult {
        match self {
            RebuildVerdict::Match { .. } => RebuildResult::Match,
            RebuildVerdict::Mismatch { .. } => RebuildResult::Mismatch,
            RebuildVerdict::CouldNotBuild { .. } => RebuildResult::CouldNotBuild,
        }
    }

    pub(super) fn built(&self) -> Option<&Digest> {
        match self {
            RebuildVerdict::Match { digest } => Some(digest),
            RebuildVerdict::Mismatch { built, .. } => Some(built),
            RebuildVerdict::CouldNotBuild { .. } => None,
        }
    }

    /// The records' part of a mismatch, for rebuild.json.
    pub(super) fn difference(&self) -> Option<Value> {
        match self {
            RebuildVerdict::Mismatch { difference, .. } => Some(difference.value()),
            _ => None,
        }
    }

    pub(super) fn text(&self, release: &PublishedRelease) -> String {
        let mut text = String::new();
        // writing to a String cannot fail
        let _ = match self {
            RebuildVerdict::Match { digest } => {
                writeln!(text, "match: {}  {}", digest.hex(), release.info.get("Iso"))
            }
            RebuildVerdict::Mismatch { built, difference } => {
                let published = release.published.as_ref().map_or("no hash", Digest::hex);
                let _ = writeln!(
                    text,
                    "mismatch: the released source builds another image\n  published: {published}\n  rebuilt:   {}",
                    built.hex()
                );
                for line in &release.contradictions {
                    let _ = writeln!(text, "  the release contradicts itself: {line}");
                }
                text.write_str(&difference.text())
            }
            RebuildVerdict::CouldNotBuild { why } => {
                writeln!(
                    text,
                    "could not build: no statement about the release is possible\n  {why}"
                )
            }
        };
        text
    }
}

/// The first stage that differs, its files and the inputs. Nothing of it is this machine's word alone: the
/// release's records say what it had.
fn describe(difference: &BuildDifference) -> String {
    let mut text = String::new();
    for input in &difference.inputs {
        text += &format!("  input: {}\n", input.what);
        for (side, value) in [("published", &input.a), ("rebuilt", &input.b)] {
            for line in value.lines().take(SHOWN) {
                text += &format!("    {side}: {}\n", line.shown());
            }
        }
    }
    match &difference.stage {
        Some(stage) => {
            let count = difference.files.len();
            let differences = if count == 1 { "difference" } else { "differences" };
            let stage = stage.shown();
            text += &format!(
                "  first stage that differs: {stage} ({count} {differences}, by the release's records)\n"
            );
        }
        None => text += "  no stage recorded a difference: only the images differ\n",
    }
    for file in difference.files.iter().take(SHOWN) {
        let what: Vec<String> = what(file).iter().map(|what| what.shown().to_string()).collect();
        text += &format!("    {}: {}\n", file.path.shown(), what.join(", "));
    }
    if let Some(more) = difference.files.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text += &format!("    … and {more} more, in rebuild.json\n");
    }
    text
}

/// The differences of a file, with the sides' names.
fn what(file: &FileDifference) -> Vec<String> {
    let named = |what: &String| match what.as_str() {
        "only in A" => "only in the release".to_owned(),
        "only in B" => "only in the rebuild".to_owned(),
        other => other.to_owned(),
    };
    file.what.iter().map(named).collect()
}
