//! Workflows and scripts call xtask as it wants to be called.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::command;
use crate::model::script::Xtask;
use crate::rule::{Findings, FixtureEdit, Rule, edit, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "xtask-commands",
        what: "every `cargo xtask …` of a workflow or a script is a command line that xtask accepts",
        why: "a misspelt option of the last step shows after the hours of all others",
        source: "the command line of this very xtask",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "cargo xtask doctor\n", "cargo xtask doktor\n", "doktor"),
        edit(
            "linux/build/scripts/build.sh",
            FixtureEdit::Replace("exec cargo", "cargo xtask doktor\nexec cargo"),
            "doktor",
        ),
        legal(WORKFLOW, "cargo xtask doctor\n", "cargo xtask ${{ github.run_id && 'doctor' }}\n"),
        legal(
            WORKFLOW,
            "cargo xtask doctor\n",
            "cargo xtask \"$COMMAND\"\n        env:\n          COMMAND: doctor\n",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(refusal) = tree.refusal else {
        return found.skip("the command line of xtask is not known here");
    };
    command::each(tree, |path, command| {
        let Some(xtask) = Xtask::of(command) else { return };
        let words: Vec<String> =
            xtask.command.split(' ').map(str::to_owned).chain(xtask.args).collect();
        // an expression may stand for any words
        if words.iter().any(|word| word.contains("${{") || word.contains("}}")) {
            return;
        }
        if let Some(why) = refusal(&words) {
            let fix = match xtask.command.split_once(' ') {
                Some((group, command)) => Fix::with("cargo xtask {} {} --help", &[group, command]),
                None => Fix::with("cargo xtask {} --help", &[&xtask.command]),
            };
            found.add(
                Location::line(path, command.line),
                format!("xtask refuses `{}`: {why}", command.shown()),
                "a command line of `cargo xtask help`",
                fix,
            );
        }
    });
}
