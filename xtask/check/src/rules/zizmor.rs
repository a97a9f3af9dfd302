//! zizmor finds nothing in the workflows.

use crate::finding::Severity;
use crate::fix::Fix;
use crate::linter::{Linter, Remark};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use serde_json::Value;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "zizmor",
        what: "zizmor finds nothing in the workflows",
        why: "a stranger's text that reaches a shell, a token that an artifact holds, permissions that nobody needs: the runner's host is the stranger's",
        source: "docs.zizmor.sh/audits, which explains each of its audits",
    },
    severity: Severity::Error,
    check,
    fixtures: &[replace(
        WORKFLOW,
        "        with:\n          persist-credentials: false\n",
        "",
        "actions/checkout",
    )],
};

const LINTER: Linter = Linter {
    program: "zizmor",
    args: &[
        "--offline",
        "--no-progress",
        "--quiet",
        "--format",
        "json-v1",
        // below that are opinions, most of them about GitHub
        "--min-severity",
        "medium",
    ],
    config: None,
    settings: &[],
    remarks,
};

fn check(tree: &SourceTree, found: &mut Findings) {
    LINTER.check_workflows(tree, found);
}

fn remarks(output: &str) -> Result<Vec<Remark>, String> {
    let output: Value = serde_json::from_str(output).map_err(|error| error.to_string())?;
    let remark = |finding: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let locations = finding["locations"].as_array().into_iter().flatten();
        let primary = |location: &&Value| location["symbolic"]["kind"] == "Primary";
        let location = locations.clone().find(primary).or(locations.clone().next());
        let location = location.unwrap_or(&Value::Null);
        let start = &location["concrete"]["location"]["start_point"];
        // zizmor counts from 0
        let number = |key: &str| start[key].as_u64().map_or(0, |n| n as usize + 1);
        Remark {
            line: number("row"),
            column: number("column"),
            text: format!(
                "{}: {} [{}]",
                text(&finding["desc"]),
                text(&location["symbolic"]["annotation"]),
                text(&finding["ident"])
            ),
            fix: Fix::with("{}", &[text(&finding["url"])]),
        }
    };
    let findings = output.as_array().ok_or("no list")?.iter();
    Ok(findings.filter(|finding| !is_left_to_gitea(finding)).map(remark).collect())
}

/// True for a workflow without `permissions:`. A setting of the repository in Gitea says what its token may do.
fn is_left_to_gitea(finding: &Value) -> bool {
    let locations = finding["locations"].as_array().into_iter().flatten();
    let default = |location: &Value| {
        let annotation = location["symbolic"]["annotation"].as_str().unwrap_or_default();
        annotation.starts_with("default permissions used")
    };
    finding["ident"] == "excessive-permissions" && locations.clone().any(default)
}
