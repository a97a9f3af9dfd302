//! The verdict on a release: match, mismatch, or could not build.

use super::release::PublishedRelease;
use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;
use xtask_core::pins::Digest;
use xtask_core::records::published::Published;
use xtask_core::records::verdict::BuildDifference;

/// Most differences of one kind that are printed. The records hold all of them.
const SHOWN: usize = 10;

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
    Mismatch { built: Digest, difference: Option<Box<BuildDifference>> },
    CouldNotBuild { why: String },
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
    let theirs = if release.has("ledger") { Published::read(published).ok() } else { None };
    let difference = theirs.map(|theirs| BuildDifference::between(&theirs, ours)).transpose()?;
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
    Ok(RebuildVerdict::Mismatch { built: built.clone(), difference: difference.map(Box::new) })
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
                difference.as_ref().map_or(Ok(()), |d| describe(&mut text, d))
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

fn describe(text: &mut String, difference: &BuildDifference) -> std::fmt::Result {
    for input in &difference.inputs {
        writeln!(text, "  input: {}", input.what)?;
        for (side, value) in [("published", &input.a), ("rebuilt", &input.b)] {
            for line in value.lines().take(SHOWN) {
                writeln!(text, "    {side}: {line}")?;
            }
        }
    }
    if let Some(stage) = &difference.stage {
        writeln!(text, "  first stage that differs: {stage}")?;
        for file in difference.files.iter().take(SHOWN) {
            writeln!(text, "    {}: {}", file.path, file.what.join(", "))?;
        }
    }
    Ok(())
}
