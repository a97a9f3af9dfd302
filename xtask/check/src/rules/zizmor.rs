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
    list: "",
    remark,
};

fn check(tree: &SourceTree, found: &mut Findings) {
    LINTER.check_workflows(tree, found);
}

fn remark(finding: &Value) -> Option<Remark> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let locations = finding["locations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let annotation = |location: &Value| text(&location["symbolic"]["annotation"]);
    // a setting of the repository in Gitea says what the token of a workflow without `permissions:` may do
    let default = |location| annotation(location).starts_with("default permissions used");
    if finding["ident"] == "excessive-permissions" && locations.iter().any(default) {
        return None;
    }
    let primary = |location: &&Value| location["symbolic"]["kind"] == "Primary";
    let location = locations.iter().find(primary).or(locations.first()).unwrap_or(&Value::Null);
    let start = &location["concrete"]["location"]["start_point"];
    // zizmor counts from 0
    let number = |key: &str| start[key].as_u64().map_or(0, |n| n as usize + 1);
    Some(Remark {
        line: number("row"),
        column: number("column"),
        text: format!(
            "{}: {} [{}]",
            text(&finding["desc"]),
            annotation(location),
            text(&finding["ident"])
        ),
        fix: Fix::with("{}", &[text(&finding["url"])]),
    })
}
