//! hadolint finds nothing in the Dockerfiles.

use crate::finding::Severity;
use crate::fix::Fix;
use crate::linter::{Linter, LinterInput, Remark};
use crate::model::image;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use serde_json::Value;
use xtask_core::rules::Described;

const FILE: &str = "linux/build/docker/Dockerfile.builder";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "hadolint",
        what: "hadolint finds nothing in the Dockerfiles",
        why: "`cd` in a RUN, a relative WORKDIR or a second ENTRYPOINT do not do what they seem to do",
        source: "github.com/hadolint/hadolint/wiki, which explains each DL number",
    },
    severity: Severity::Error,
    check,
    fixtures: &[replace(FILE, "STOPSIGNAL", "WORKDIR build\nSTOPSIGNAL", "WORKDIR build")],
};

const LINTER: Linter = Linter {
    program: "hadolint",
    args: &["--format", "json"],
    config: None,
    settings: &[".hadolint.yaml"],
    list: "",
    remark,
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let inputs: Vec<LinterInput<'_>> = image::all(tree)
        .iter()
        // rule `dockerfile` reports what cannot be parsed
        .filter(|image| image.file.errors.is_empty())
        .map(|image| LinterInput { file: image.source, also: Vec::new() })
        .collect();
    LINTER.check(tree, &inputs, found);
}

fn remark(problem: &Value) -> Option<Remark> {
    let number = |key: &str| problem[key].as_u64().unwrap_or_default() as usize;
    let text = |key: &str| problem[key].as_str().unwrap_or_default();
    let code = text("code");
    Some(Remark {
        line: number("line"),
        column: number("column"),
        text: format!("{} ({code})", text("message")),
        fix: Fix::with("https://github.com/hadolint/hadolint/wiki/{}", &[code]),
    })
}
