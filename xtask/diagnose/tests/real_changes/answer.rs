//! The answer of `diagnose --json` for two images.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) identical: bool,
    /// True if a content differs, and not only what stands around it.
    pub(crate) contents_differ: bool,
    /// Id and place of each cause.
    pub(crate) causes: BTreeSet<(String, Place)>,
    /// The strings that the causes exchange, and lines that show it.
    pub(crate) details: String,
    /// Items that are unexplained or not read: place and reason.
    pub(crate) open: BTreeSet<(Place, String)>,
    /// The part of `open` that was not read.
    pub(crate) not_read: BTreeSet<Place>,
}

/// Layers from the outermost, then the path in the innermost.
pub(crate) type Place = Vec<String>;

pub(crate) fn diagnose(a: &Path, b: &Path) -> Result<Answer, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_diagnose"))
        .args(["diagnose", "--json", "--diffoscope", "never"])
        .args([a, b])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let json: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("no answer ({}): {errors}", output.status))?;
    if errors.contains("panicked") {
        return Err(format!("panic: {errors}"));
    }
    let mut answer = Answer {
        identical: json["verdict"] == "identical",
        contents_differ: json["contents_differ"] == true,
        ..Answer::default()
    };
    for cause in list(&json["causes"]) {
        let id = cause["id"].as_str().unwrap_or_default();
        answer.details += &format!("{}{}\n", cause["detail"], cause["excerpt"]);
        answer.causes.extend(list(&cause["places"]).iter().map(|at| (id.to_owned(), place(at))));
    }
    for name in ["unexplained", "unreadable", "not_read"] {
        for item in list(&json[name]) {
            let what = item["what"].as_str().unwrap_or_default().to_owned();
            // of a folder that only one side has, what is in it is named below it
            for line in list(&item["excerpt"]).iter().filter_map(Value::as_str) {
                let path = line.strip_prefix("+ ").or(line.strip_prefix("- "));
                if let (true, Some(path)) = (what.starts_with("only in"), path) {
                    let mut inner = place(&item["place"]);
                    inner.pop();
                    inner.push(plain(path).to_owned());
                    answer.open.insert((inner, what.clone()));
                }
            }
            answer.open.insert((place(&item["place"]), what));
            if name != "unexplained" {
                answer.not_read.insert(place(&item["place"]));
            }
        }
    }
    Ok(answer)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn place(value: &Value) -> Place {
    let text = value.as_str().unwrap_or_default();
    if text == "the image" || text == "." {
        return Place::new();
    }
    // what is in a compressed file has no name of its own
    let parts = text.split('!').filter(|part| *part != "[unpacked]");
    parts.map(|part| plain(part).to_owned()).collect()
}

/// A path as every archive could have it.
pub(crate) fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}
