//! Formats a verdict: as text, and as JSON (`verify.json`).

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::failure::Problem;
use xtask_core::json;
use xtask_core::records::published::Published;
use xtask_core::records::verdict::{BuildDifference, FileDifference, Verdict};
use xtask_core::replace::{RecordFile, shared_problem};
use xtask_core::ui::answer;

/// Format of verify.json.
const FORMAT: &str = "silvermetal-verify/1";
/// Files of the report.
pub(super) const NAMES: [&str; 2] = ["verify.txt", "verify.json"];
/// Most files that the text lists. verify.json has all of them.
const SHOWN: usize = 10;

/// The problem that the report would replace files of somebody else.
pub(super) fn in_the_way(out: &Path) -> Option<Problem> {
    let record = RecordFile { name: NAMES[1], mark: "\"silvermetal-verify/" };
    shared_problem(out, &NAMES.map(str::to_owned), record)
}

/// Writes the verdict to `verify.txt` and `verify.json`.
pub(super) fn keep(out: &Path, text: &str, value: &Value) -> Result<()> {
    // verify.json first, whole: it shows that verify.txt is ours, even if this run is killed
    for (name, content) in NAMES.into_iter().zip([text, &format!("{value:#}\n")]).rev() {
        let path = out.join(name);
        let part = out.join(format!(".{name}.part-{}", std::process::id()));
        let written = fs::write(&part, content).and_then(|()| fs::rename(&part, &path));
        if written.is_err() {
            drop(fs::remove_file(&part)); // it may not exist
        }
        written.with_context(|| format!("cannot write {}", path.shown()))?;
    }
    Ok(())
}

pub(super) fn say(text: &str, value: &Value, as_json: bool) {
    if as_json {
        json::print(value);
    } else {
        answer(format_args!("{}", text.trim_end()));
    }
}

/// The text for a person; `next` is the command for the next step.
pub(super) fn text(verdict: &Verdict, out: &Path, next: &str) -> String {
    let mut text = String::new();
    // writing to a String cannot fail
    let _ = match verdict {
        Verdict::Identical { digest, size } => {
            writeln!(text, "identical: {} ({size} bytes)", digest.hex())
        }
        Verdict::Differs(difference) => {
            describe(&mut text, difference);
            writeln!(text, "kept: {}\nnext: {next}", out.shown())
        }
    };
    text
}

fn describe(text: &mut String, difference: &BuildDifference) {
    let answer = if difference.inputs.is_empty() {
        "differs: the build is not reproducible"
    } else {
        "differs: the inputs moved between the builds (this says nothing about the build itself)"
    };
    let _ = writeln!(text, "{answer}");
    for input in &difference.inputs {
        let _ = writeln!(text, "  input: {}", input.what);
        for (side, value) in [("A", &input.a), ("B", &input.b)] {
            for line in value.lines().take(SHOWN) {
                let _ = writeln!(text, "    {side}: {line}");
            }
        }
    }
    match &difference.stage {
        Some(stage) => {
            let count = match difference.files.len() {
                1 => "1 difference".to_owned(),
                n => format!("{n} differences"),
            };
            let _ = writeln!(text, "  first stage that differs: {stage} ({count})");
        }
        None => {
            let _ = writeln!(text, "  no stage recorded a difference: only the images differ");
        }
    }
    for file in difference.files.iter().take(SHOWN) {
        // the records may be somebody else's: --compare
        let what: Vec<String> = file.what.iter().map(|what| what.shown().to_string()).collect();
        let _ = writeln!(text, "    {}: {}", file.path.shown(), what.join(", "));
    }
    if let Some(more) = difference.files.len().checked_sub(SHOWN).filter(|n| *n > 0) {
        let _ = writeln!(text, "    … and {more} more, all of them in verify.json");
    }
}

pub(super) fn json(verdict: &Verdict, facts: Value) -> Value {
    let mut value = match verdict {
        Verdict::Identical { digest, size } => json!({
            "verdict": "identical", "sha256": digest.hex(), "size": size,
        }),
        Verdict::Differs(difference) => json!({
            "verdict": if difference.inputs.is_empty() { "differs" } else { "inputs-differ" },
            "stage": difference.stage,
            "count": difference.files.len(),
            "files": difference.files.iter().map(file).collect::<Vec<_>>(),
            "inputs": difference.inputs.iter()
                .map(|i| json!({ "what": i.what, "a": i.a, "b": i.b }))
                .collect::<Vec<_>>(),
        }),
    };
    value["format"] = FORMAT.into();
    if let (Some(value), Value::Object(facts)) = (value.as_object_mut(), facts) {
        value.extend(facts);
    }
    value
}

fn file(file: &FileDifference) -> Value {
    json!({ "path": file.path, "what": file.what })
}

/// The command that says more about two builds that differ.
pub(super) fn next_step(a: &Published, b: &Published) -> String {
    let [a, b] = [a, b].map(|build| quoted(&build.dir));
    format!("cargo xtask diagnose {a} {b}")
}
