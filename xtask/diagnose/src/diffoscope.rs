//! diffoscope, from the builder image, on what no rule explains; never on the rest.

use crate::difference::Place;
use serde_json::{Value, json};
use std::fmt;

/// What diffoscope said.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) files: Vec<FileReport>,
    /// Why something is missing: the budget, a missing engine.
    pub(crate) cut: Option<String>,
    pub(crate) seconds: f64,
}

/// Its report of one file.
#[derive(Debug)]
pub(crate) struct FileReport {
    pub(crate) place: Place,
    pub(crate) text: String,
}

impl Outcome {
    pub(crate) fn json(&self) -> Value {
        json!({
            "files": self.files.iter()
                .map(|file| json!({ "place": file.place.to_string(), "text": file.text }))
                .collect::<Vec<_>>(),
            "cut": self.cut,
            "seconds": self.seconds,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "diffoscope looked at {} of the unexplained files", self.files.len())?;
        if let Some(why) = &self.cut {
            write!(f, "; cut: {why}")?;
        }
        for file in &self.files {
            write!(f, "\n\n{}\n{}", file.place, file.text.trim_end())?;
        }
        Ok(())
    }
}
