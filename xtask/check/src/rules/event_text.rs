//! Scripts contain no text that a stranger wrote.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::workflow;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const DOCTOR: &str = "        run: cargo xtask doctor\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "event-text",
        what: "no `run:` contains an expression with a secret or with text from the event (titles, messages, branch names); both go through `env:`",
        why: "the expression is replaced before the shell reads the script: a branch named `$(…)` is run as a command, and a secret stands in a file and in the argv of programs",
        source: "GitHub's \"Security hardening for GitHub Actions\", script injections",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            DOCTOR,
            "        run: |\n          cargo xtask doctor\n          echo '${{ github.event.head_commit.message }}'\n",
            "head_commit",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        run: echo \"${{ github.head_ref }}\"; cargo xtask doctor\n",
            "head_ref",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        run: cargo xtask doctor \"${{ github['ref_name'] }}\"\n",
            "ref_name",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        run: |\n          curl -H 'Authorization: token ${{ secrets.RELEASE_TOKEN }}' https://example.org\n          cargo xtask doctor\n",
            "secrets.RELEASE_TOKEN",
        ),
        legal(
            WORKFLOW,
            DOCTOR,
            "        env:\n          NAME: ${{ github.head_ref }}\n        run: echo \"$NAME\"; cargo xtask doctor\n",
        ),
        legal(
            WORKFLOW,
            DOCTOR,
            "        run: echo ${{ github.event.pull_request.number }}; cargo xtask doctor\n",
        ),
    ],
};

/// Last words of references whose values cannot contain shell text.
const HARMLESS: [&str; 6] = ["number", "id", "sha", "before", "after", "run_id"];

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            for step in job.steps() {
                let Some(run) = step.node.get("run") else { continue };
                for (_, at, expr) in workflow::expressions_of(&["run"], run) {
                    for reference in expr.references() {
                        let words: Vec<String> =
                            reference.iter().map(|word| word.to_ascii_lowercase()).collect();
                        let words: Vec<&str> = words.iter().map(String::as_str).collect();
                        let (what, fix) = match words.as_slice() {
                            ["github", "event", .., last] if HARMLESS.contains(last) => continue,
                            ["github", "event", _, ..]
                            | ["github", "head_ref" | "ref_name" | "ref"] => (
                                "is text from the event, and becomes part of the script",
                                "write `env: NAME: ${{ {} }}`, and \"$NAME\" in the script",
                            ),
                            ["secrets", ..] => (
                                "becomes part of the script, which is a file, and of argvs",
                                "write `env: TOKEN: ${{ {} }}`, and pass \"$TOKEN\" on stdin",
                            ),
                            _ => continue,
                        };
                        let name = reference.join(".");
                        found.add(
                            Location::at(workflow.path(), at),
                            format!("`{name}` {what}"),
                            "an environment variable",
                            Fix::with(fix, &[&name]),
                        );
                    }
                }
            }
        }
    }
}
