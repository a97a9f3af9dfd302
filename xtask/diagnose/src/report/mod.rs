//! Reports on two images: for a person, for a program, and as a page.

mod html;
mod json;
mod text;

pub(crate) use html::{PAGE_MARK, page};
pub(crate) use json::json;
pub(crate) use text::text;

use crate::classify::{Cause, Diagnosis};
use crate::compare::Summary;
use crate::difference::Place;
use crate::text::counted;
use std::collections::BTreeMap;
use std::path::PathBuf;
use xtask_core::pins::Digest;

/// Everything that a report tells.
pub(crate) struct Report {
    /// The two images.
    pub(crate) a: PathBuf,
    pub(crate) b: PathBuf,
    /// True if every byte is the same.
    pub(crate) identical: bool,
    /// Out of the builds' records, where there are any.
    pub(crate) records: Option<RecordFacts>,
    pub(crate) diagnosis: Diagnosis,
    pub(crate) diffoscope: Option<crate::diffoscope::Outcome>,
    pub(crate) compared: Summary,
    /// SHA-256 and size of A and B; only the page tells them. `None` of folders.
    pub(crate) hashes: Option<[(Digest, u64); 2]>,
    pub(crate) seconds: f64,
}

/// Facts from the builds' own records.
pub(crate) struct RecordFacts {
    /// The first stage whose results differ.
    pub(crate) stage: Option<String>,
    /// Inputs that differ: `the snapshot pin: X → Y`.
    pub(crate) inputs: Vec<String>,
    /// The stage that wrote what differs at a place.
    pub(crate) wrote: BTreeMap<Place, String>,
}

impl Report {
    /// The stages that wrote what a cause made differ.
    fn stages(&self, cause: &Cause) -> Vec<&str> {
        let Some(records) = &self.records else { return Vec::new() };
        let mut stages: Vec<&str> = cause
            .places
            .iter()
            .filter_map(|place| records.wrote.get(place))
            .map(String::as_str)
            .collect();
        stages.sort_unstable();
        stages.dedup();
        stages
    }

    fn stage_of(&self, place: &Place) -> Option<&str> {
        Some(self.records.as_ref()?.wrote.get(place)?.as_str())
    }

    /// Bytes read of both.
    fn read(&self) -> u64 {
        self.compared.bytes.iter().sum()
    }

    /// The answer in one line.
    pub(crate) fn headline(&self) -> String {
        let Diagnosis { causes, counts, contents, .. } = &self.diagnosis;
        if self.identical {
            return "identical".to_owned();
        }
        let mut parts = vec![format!(
            "{} by {}",
            counted(counts.explained, "difference explained", "differences explained"),
            counted(causes.len(), "cause", "causes")
        )];
        if counts.follow > 0 {
            parts.push(format!("{} follow from them", counts.follow));
        }
        parts.push(format!("{} unexplained", counts.unexplained));
        if counts.not_read > 0 {
            parts.push(format!("{} not read", counts.not_read));
        }
        if !contents && counts.unexplained + counts.not_read == 0 {
            parts.push("contents are identical, only what stands around them differs".to_owned());
        }
        format!("differs: {}", parts.join("; "))
    }
}
