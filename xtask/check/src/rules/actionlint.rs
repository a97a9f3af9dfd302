//! actionlint finds nothing in the workflows.

use crate::finding::Severity;
use crate::linter::{Linter, Remark};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use serde_json::Value;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "actionlint",
        what: "actionlint finds nothing in the workflows",
        why: "it knows types in expressions, inputs of actions and scripts in `run:` better than these rules",
        source: "github.com/rhysd/actionlint, docs/checks.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[replace(
        WORKFLOW,
        "        run: cargo xtask doctor\n",
        "        if: github.sha.x == ''\n        run: cargo xtask doctor\n",
        "github.sha.x",
    )],
};

const LINTER: Linter = Linter {
    program: "actionlint",
    // both are legal for Gitea, and rules `schedule` and `pinned-actions` know them: a schedule such as @daily, an
    // action by its URL
    args: &[
        "-format",
        "{{json .}}",
        "-ignore",
        "invalid CRON format \"@",
        "-ignore",
        "specifying action \"https?://",
    ],
    config: Some(("-config-file", ".gitea/actionlint.yaml")),
    settings: &[],
    list: "",
    remark,
};

fn check(tree: &SourceTree, found: &mut Findings) {
    LINTER.check_workflows(tree, found);
}

fn remark(error: &Value) -> Option<Remark> {
    let number = |key: &str| error[key].as_u64().unwrap_or_default() as usize;
    let text = |key: &str| error[key].as_str().unwrap_or_default();
    Some(Remark {
        line: number("line"),
        column: number("column"),
        text: format!("{} [{}]", text("message"), text("kind")),
        fix: "https://github.com/rhysd/actionlint/blob/main/docs/checks.md".into(),
    })
}
