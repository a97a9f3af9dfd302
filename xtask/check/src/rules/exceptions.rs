//! Exceptions name a rule, give a reason, and still excuse something.

use crate::finding::{Finding, Severity};
use crate::model::exception::{self, Exception};
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

pub(crate) const NAME: &str = "exceptions";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: NAME,
        what: "a `# check: allow RULE reason` comment names an existing rule, gives a reason, and excuses a finding",
        why: "nobody dares to remove an exception without a reason; an unused exception hides the next problem on its line",
        source: "the exceptions section of docs/rules.md",
    },
    severity: Severity::Warning,
    check,
    fixtures: &[
        edit(
            "linux/build/config/silvermetal-base.conf",
            FixtureEdit::Append("# check: allow terminal\n"),
            "allow terminal",
        ),
        edit(
            "linux/build/config/silvermetal-base.conf",
            FixtureEdit::Append("# check: allow termina no reason\n"),
            "allow termina",
        ),
        edit(
            "linux/build/docker/Dockerfile.builder",
            FixtureEdit::Append("# check: allow terminal not needed any more\n"),
            "any more",
        ),
    ],
};

const FIX: &str = "write `# check: allow RULE reason` with a rule of `cargo xtask check --table`";

fn check(tree: &SourceTree, found: &mut Findings) {
    for exception in exception::all(tree) {
        let Exception { location, rule, reason, .. } = exception;
        if !(found.is_rule)(&rule) {
            found.add(location, format!("no rule is named `{rule}`"), "the name of a rule", FIX);
        } else if reason.is_empty() {
            let what = format!("the exception to `{rule}` has no reason, so it excuses nothing");
            found.add(location, what, "a reason after the rule's name", FIX);
        }
    }
}

/// The finding for an exception that excuses nothing, which is known only after all rules ran.
pub(crate) fn unused(exception: &Exception) -> Finding {
    Finding {
        rule: NAME,
        severity: Severity::Warning,
        location: exception.location.clone(),
        what: format!("this exception to `{}` excuses nothing", exception.rule),
        expected: "a finding of that rule on the excused line".into(),
        fix: "remove the comment".into(),
    }
}
