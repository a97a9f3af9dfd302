//! Scripts stop at the first error.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::script;
use crate::parse::shell::ShellCommand;
use crate::rule::{Findings, FixtureEdit, Rule, edit, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "script-head",
        what: "every shell script begins with `#!` and sets `set -euo pipefail` before its first commands; a file that is only sourced says so (`# shellcheck shell=bash`)",
        why: "after a failed step the script goes on with half a result, and exits with 0",
        source: "bash(1), `set`",
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

/// True for commands that may come before `set`: they only set variables and options, or find the
/// script's folder.
fn is_harmless(command: &ShellCommand) -> bool {
    let program = command.program();
    let known = [
        "", "set", "shopt", "export", "readonly", "declare", "unset", "umask", "cd", "trap", "[",
        "[[", "test", ":", "true", "pwd", "dirname", "basename", "realpath", "readlink",
    ];
    known.contains(&program)
}

fn check(tree: &SourceTree, found: &mut Findings) {
    for source in script::scripts(tree) {
        if !source.line(1).starts_with("#!") {
            let what = "the .sh file has no `#!` line, so its caller decides which shell runs it";
            let expected =
                "#!/usr/bin/env bash, or `# shellcheck shell=bash` if it is only sourced";
            found.add(Location::line(&source.path, 1), what, expected, "add the line");
        }
        let commands = source.commands();
        let (mut e, mut u, mut pipefail) = (false, false, false);
        let mut at = 1;
        // all settings must come before the first real command
        for command in commands.iter().take_while(|command| is_harmless(command)) {
            // settings in a subshell end with it
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
        let what = "the script continues after an error, an unset variable or a failed pipe";
        found.add(
            Location::line(&source.path, at),
            what,
            expected,
            Fix::listing("add below the first comment:", &[expected]),
        );
    }
}
