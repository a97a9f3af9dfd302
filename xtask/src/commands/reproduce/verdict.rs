//! Match, mismatch, or could not build: what the published hash and our own say together.

use super::release::Release;
use super::statement::Outcome;
use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;
use xtask_core::pins::Digest;
use xtask_core::records::published::Published;
use xtask_core::records::verdict::Difference;

/// Differences of one kind that a person is shown; the records hold all.
const SHOWN: usize = 10;

pub(super) enum Verdict {
    Match { digest: Digest },
    Mismatch { built: Digest, difference: Option<Box<Difference>> },
    CouldNotBuild { why: String },
}

/// `ours` are the records of our build, `published` the folder with the release's.
pub(super) fn of(
    release: &Release,
    built: &Digest,
    ours: &Published,
    published: &Path,
) -> Result<Verdict> {
    if release.contradictions.is_empty() && release.published.as_ref() == Some(built) {
        return Ok(Verdict::Match { digest: built.clone() });
    }
    let theirs = if release.has("ledger") { Published::read(published).ok() } else { None };
    let difference = theirs.map(|theirs| Difference::between(&theirs, ours)).transpose()?;
    let moved = |field: &str| release.info.get(field) != ours.info.get(field);
    // only a pinned release promises that its packages can be had again
    let unpinned = release.info.get("Apt-Pinned") != "yes" || ours.info.get("Apt-Pinned") != "yes";
    let consistent = release.contradictions.is_empty();
    if consistent && unpinned && (moved("InRelease") || moved("Package-List-Sha256")) {
        return Ok(Verdict::CouldNotBuild {
            why: "the release was not built from the pinned snapshot, and the packages of its mirror \
                  have changed since"
                .to_owned(),
        });
    }
    Ok(Verdict::Mismatch { built: built.clone(), difference: difference.map(Box::new) })
}

impl Verdict {
    pub(super) fn result(&self) -> Outcome {
        match self {
            Verdict::Match { .. } => Outcome::Match,
            Verdict::Mismatch { .. } => Outcome::Mismatch,
            Verdict::CouldNotBuild { .. } => Outcome::CouldNotBuild,
        }
    }

    pub(super) fn built(&self) -> Option<&Digest> {
        match self {
            Verdict::Match { digest } => Some(digest),
            Verdict::Mismatch { built, .. } => Some(built),
            Verdict::CouldNotBuild { .. } => None,
        }
    }

    pub(super) fn text(&self, release: &Release) -> String {
        let mut text = String::new();
        // writing to a String cannot fail
        let _ = match self {
            Verdict::Match { digest } => {
                writeln!(text, "match: {}  {}", digest.hex(), release.info.get("Iso"))
            }
            Verdict::Mismatch { built, difference } => {
                let published = release.published.as_ref().map_or("nothing", Digest::hex);
                let _ = writeln!(
                    text,
                    "mismatch: this is not what the released source builds\n  published: {published}\n  rebuilt:   {}",
                    built.hex()
                );
                for line in &release.contradictions {
                    let _ = writeln!(text, "  the release contradicts itself: {line}");
                }
                difference.as_ref().map_or(Ok(()), |d| describe(&mut text, d))
            }
            Verdict::CouldNotBuild { why } => {
                writeln!(text, "could not build: this says nothing about the release\n  {why}")
            }
        };
        text
    }
}

fn describe(text: &mut String, difference: &Difference) -> std::fmt::Result {
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
