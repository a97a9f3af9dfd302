//! Scripts stop at the first error.

use crate::finding::{Location, Severity};
use crate::model::script;
use crate::parse::shell::ShellCommand;
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::Tree;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "script-head",
        what: "every shell script begins with `#!` and has `set -euo pipefail` before its first commands; what is only sourced says so (`# shellcheck shell=bash`)",
        why: "a step that failed in the middle leaves half a result, and the script ends with 0",
        source: "preflight rule 33",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace("linux/build/scripts/build.sh", "set -euo pipefail\n", "", ""),
        replace("linux/build/scripts/build.sh", "set -euo pipefail", "set -eu", "set -eu"),
        replace("linux/build/scripts/build.sh", "set -euo pipefail", "(set -euo pipefail)", ""),
        replace(
            "linux/build/scripts/build.sh",
            "set -euo pipefail\n",
            "mkdir -p out\nset -euo pipefail\n",
            "",
        ),
        replace("linux/build/recipes/canary/build", "set -euo pipefail", "# set -euo pipefail", ""),
        edit(
            "linux/build/recipes/canary/more.sh",
            FixtureEdit::Write(b"set -euo pipefail\ntrue\n"),
            "set -euo",
        ),
    ],
};

/// Sets variables, options, the folder; or says where the script lies, in `$(…)`.
fn is_harmless(command: &ShellCommand) -> bool {
    let program = command.program();
    let known = [
        "", "set", "shopt", "export", "readonly", "declare", "unset", "umask", "cd", "trap", "[",
        "[[", "test", ":", "true", "pwd", "dirname", "basename", "realpath", "readlink",
    ];
    known.contains(&program)
}

fn check(tree: &Tree, found: &mut Findings) {
    for source in script::scripts(tree) {
        if !source.line(1).starts_with("#!") {
            let what = "a .sh file without `#!`: whoever calls it decides which shell reads it";
            let expected =
                "#!/usr/bin/env bash, or `# shellcheck shell=bash` if it is only sourced";
            found.add(Location::line(&source.path, 1), what, expected, "add the line");
        }
        let commands = source.commands();
        let (mut e, mut u, mut pipefail) = (false, false, false);
        let mut at = 1;
        // settings stand together; what comes before may only set variables or change the folder
        for command in commands.iter().take_while(|command| is_harmless(command)) {
            // what a subshell sets ends with it
            if command.program() != "set" || source.line(command.line).trim_start().starts_with('(')
            {
                continue;
            }
            at = command.line;
            for arg in command.args() {
                match arg {
                    "pipefail" => pipefail = true,
                    "errexit" => e = true,
                    "nounset" => u = true,
                    _ if arg.starts_with('-') => {
                        e |= arg.contains('e');
                        u |= arg.contains('u');
                    }
                    _ => {}
                }
            }
        }
        // dash has no pipefail
        let plain_sh = source.line(1).ends_with("/sh");
        if e && u && (pipefail || plain_sh) {
            continue;
        }
        let expected = if plain_sh { "set -eu" } else { "set -euo pipefail" };
        let what = "goes on after an error, an unset variable or a failed pipe";
        found.add(
            Location::line(&source.path, at),
            what,
            expected,
            format!("add `{expected}` below the first comment"),
        );
    }
}
