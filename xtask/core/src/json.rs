//! Results for programs (`--json`): one object on stdout, also after a failure. docs/json.md gives every key.

use crate::failure::{self, Code, Problem};
use crate::ui::answer_json;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// True as soon as this process has printed its object. A second one would make stdout invalid JSON.
static PRINTED: AtomicBool = AtomicBool::new(false);

/// Prints the result of a command. It has a key `format`: its name and version.
pub fn print(result: &Value) {
    debug_assert!(result["format"].is_string(), "a result without a format: {result}");
    PRINTED.store(true, Ordering::Relaxed);
    answer_json(format_args!("{result:#}"));
}

/// Prints a failure as an object if the command line has `--json`, and the command has printed no
/// result.
pub fn print_failure(error: &anyhow::Error) {
    let asked =
        std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if asked && !PRINTED.load(Ordering::Relaxed) {
        print(&of_failure(error));
    }
}

/// The problems of a command, each with its fix.
pub fn problems(problems: &[Problem]) -> Value {
    let one = |p: &Problem| json!({ "what": p.what, "fix": p.fix, "rule": p.rule });
    problems.iter().map(one).collect()
}

fn of_failure(error: &anyhow::Error) -> Value {
    json!({
        "format": "silvermetal-failure/1",
        "exit_code": Code::of(error) as u8,
        "error": format!("{error:#}"),
        "problems": problems(failure::problems(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_failure_has_its_exit_code_and_every_problem_with_its_fix() {
        let refused = failure::refuse(&[Problem::new("no disk", "buy one").of("disk")]);
        let error = refused.context("build A failed").unwrap_err();
        let value = of_failure(&Code::Failed.wrap(error));
        assert_eq!(value["exit_code"], 4);
        assert!(
            value["error"].as_str().unwrap().starts_with("build A failed: not ready: 1 problem")
        );
        let problem = json!({ "what": "no disk", "fix": "buy one", "rule": "disk" });
        assert_eq!(value["problems"], json!([problem]));
        assert_eq!(of_failure(&anyhow::anyhow!("x"))["problems"], json!([]));
    }
}
