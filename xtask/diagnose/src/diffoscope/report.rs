//! diffoscope's reports.

use super::extract::Extracted;
use crate::difference::Place;
use crate::text::{counted, printable};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Lines of each file's report that a person sees; the others are on the page and in the JSON.
const LINES: usize = 40;

/// diffoscope's reports of all files.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Which one, and whose; empty where there was none.
    pub(crate) version: String,
    pub(crate) files: Vec<FileReport>,
    /// Why something is missing: the budget, a file's size, no engine. One line each.
    pub(crate) cut: Vec<String>,
    pub(crate) seconds: f64,
}

/// Its report of one file.
#[derive(Debug)]
pub(crate) struct FileReport {
    pub(crate) place: Place,
    pub(crate) text: String,
    /// A page of its own.
    pub(crate) html: String,
}

/// Reads what `pairs.sh` wrote.
pub(super) fn read(
    output: &str,
    extracted: &Extracted,
    whose: &str,
    budget: Duration,
    took: Duration,
) -> Outcome {
    let mut outcome = Outcome { seconds: took.as_secs_f64(), ..Outcome::default() };
    let [mut text, mut html, mut errors] = [const { String::new() }; 3];
    let mut seen = 0;
    for line in output.lines() {
        let (kind, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        let into = match kind {
            "t " => &mut text,
            "h " => &mut html,
            "e " => &mut errors,
            "v " => {
                outcome.version = format!("{rest}, {whose}");
                continue;
            }
            "= " => {
                let code = rest.split_once(' ').and_then(|(_, code)| code.parse().ok());
                let [text, html] = [&mut text, &mut html].map(std::mem::take);
                let errors = std::mem::take(&mut errors);
                if let Some(place) = extracted.places.get(seen) {
                    outcome.file(place, text, html, &errors, code.unwrap_or(-1), budget);
                }
                seen += 1;
                continue;
            }
            _ => continue,
        };
        into.push_str(rest);
        into.push('\n');
    }
    let unseen = extracted.places.len().saturating_sub(seen);
    if unseen > 0 {
        let unseen = counted(unseen, "more file", "more files");
        outcome.cut.push(format!("{unseen} not looked at: the budget of {} s", budget.as_secs()));
    }
    let mut reasons: Vec<&str> = extracted.left_out.iter().map(|(_, why)| *why).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for why in reasons {
        let places = extracted.left_out.iter().filter(|(_, other)| *other == why);
        let places: Vec<String> = places.map(|(place, _)| place.to_string()).collect();
        let n = counted(places.len(), "place", "places");
        outcome.cut.push(format!("{n} not looked at ({}, …): {why}", places[0]));
    }
    outcome
}

impl Outcome {
    /// It did not run.
    pub(super) fn none(why: &str) -> Outcome {
        Outcome { cut: vec![why.to_owned()], ..Outcome::default() }
    }

    fn file(
        &mut self,
        place: &Place,
        text: String,
        html: String,
        errors: &str,
        code: i32,
        budget: Duration,
    ) {
        let last = errors.lines().last().unwrap_or_default();
        match code {
            0 | 1 => {}
            124 | 137 => {
                self.cut.push(format!("{place}: ended by the budget of {} s", budget.as_secs()));
            }
            code => self.cut.push(format!("{place}: it failed (exit {code}): {last}")),
        }
        let shortened = ["Max report size reached", "Max HTML report size", "lines removed ]"];
        if shortened.iter().any(|sign| text.contains(sign) || html.contains(sign)) {
            self.cut.push(format!("{place}: its report is larger than is kept"));
        }
        if matches!(code, 0 | 1) {
            self.files.push(FileReport { place: place.clone(), text, html });
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "version": self.version,
            "files": self.files.iter()
                .map(|file| json!({ "place": file.place.to_string(), "text": file.text }))
                .collect::<Vec<_>>(),
            "cut": self.cut,
            "seconds": self.seconds,
        })
    }

    /// In one line.
    pub(crate) fn headline(&self) -> String {
        if self.version.is_empty() {
            return "diffoscope has not looked at them".to_owned();
        }
        let files = counted(self.files.len(), "unexplained file", "unexplained files");
        format!("{}: {files} in {:.1} s", self.version, self.seconds)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        for why in &self.cut {
            let cut = if self.version.is_empty() { "" } else { "cut: " };
            write!(f, "\n  {cut}{}", printable(why))?;
        }
        for file in &self.files {
            write!(f, "\n\n  {}", printable(&file.place.to_string()))?;
            let lines = file.text.lines().count();
            for line in file.text.lines().take(LINES) {
                write!(f, "\n    {}", printable(line))?;
            }
            if lines > LINES {
                write!(f, "\n    … and {} more lines, with --json or --html", lines - LINES)?;
            }
        }
        Ok(())
    }
}
