//! Nothing hides the exit code of a command that decides.

use crate::finding::{Location, Severity};
use crate::model::script::{self, Xtask};
use crate::model::workflow::{self, Workflow, WorkflowJob, WorkflowStep};
use crate::parse::shell::ShellCommand;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const VERIFY: &str =
    "        run: cargo xtask verify --image \"$IMAGE\" --output \"$GITHUB_WORKSPACE/$SHORT\"\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "masked-failures",
        what: "nothing hides the exit code of a step that checks, builds, verifies or releases: no `continue-on-error`, no `||`, no pipe without pipefail, no `&`, no `set +e`, no trap with `exit 0`",
        why: "a run in which the hashes differ is green, and its ISO is released",
        source: "bash(1), set -e; actions/runner#1955",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            VERIFY,
            "        continue-on-error: true\n        run: cargo xtask verify --image \"$IMAGE\"\n",
            "continue-on-error",
        ),
        replace(
            WORKFLOW,
            "    timeout-minutes: 300\n",
            "    timeout-minutes: 300\n    continue-on-error: ${{ github.ref == '' }}\n",
            "continue-on-error",
        ),
        replace(WORKFLOW, VERIFY, "        run: cargo xtask verify || true\n", "|| true"),
        replace(WORKFLOW, VERIFY, "        run: cargo xtask verify | tee verify.log\n", "| tee"),
        replace(
            WORKFLOW,
            VERIFY,
            "        run: |\n          cargo xtask verify &\n          wait\n",
            "verify &",
        ),
        replace(
            WORKFLOW,
            VERIFY,
            "        run: |\n          set +e\n          cargo xtask verify\n          echo done\n",
            "xtask verify",
        ),
        replace(
            WORKFLOW,
            VERIFY,
            "        run: |\n          cargo xtask verify && echo identical\n          echo done\n",
            "&& echo",
        ),
        replace(
            WORKFLOW,
            VERIFY,
            "        run: if cargo xtask verify; then echo identical; fi\n",
            "if cargo",
        ),
        replace(WORKFLOW, VERIFY, "        run: \"! cargo xtask verify\"\n", "! cargo"),
        replace(
            WORKFLOW,
            VERIFY,
            "        shell: bash {0}\n        run: |\n          cargo xtask verify\n          echo done\n",
            "xtask verify",
        ),
        replace(
            WORKFLOW,
            VERIFY,
            "        run: |\n          trap 'echo bye; exit 0' EXIT\n          cargo xtask verify\n",
            "xtask verify",
        ),
        replace(
            "linux/build/scripts/build.sh",
            "xtask-start -- iso \"$@\"",
            "xtask-start -- iso \"$@\" || true",
            "|| true",
        ),
        legal(
            WORKFLOW,
            VERIFY,
            "        continue-on-error: false\n        run: cargo xtask verify && echo identical\n",
        ),
        legal(
            WORKFLOW,
            VERIFY,
            "        shell: bash\n        run: cargo xtask verify | tee verify.log\n",
        ),
        legal(
            WORKFLOW,
            VERIFY,
            "        run: |\n          set -o pipefail\n          cargo xtask verify 2>&1 | tee verify.log\n",
        ),
        legal(
            WORKFLOW,
            VERIFY,
            "        run: |\n          trap 'rm -f x; exit' EXIT\n          trap 'exit 0' USR1\n          cargo xtask verify\n",
        ),
        legal(WORKFLOW, VERIFY, "        run: cargo xtask verify || { echo different; exit 1; }\n"),
        legal(
            WORKFLOW,
            VERIFY,
            "        run: |\n          cargo xtask verify || status=$?\n          exit \"${status:-0}\"\n",
        ),
        legal(
            WORKFLOW,
            VERIFY,
            "        run: |\n          if ! cargo xtask verify; then\n            exit 1\n          fi\n",
        ),
        legal(
            WORKFLOW,
            VERIFY,
            "        run: |\n          cargo xtask verify\n          cargo xtask diagnose . || true\n",
        ),
    ],
};

const DECIDE: [&str; 12] = [
    "boot",
    "check",
    "image build",
    "image push",
    "inspect",
    "iso",
    "release build",
    "release publish",
    "reproduce",
    "test",
    "verify",
    "bump-image",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let steps = job.steps();
            let deciding: Vec<&WorkflowStep<'_>> =
                steps.iter().filter(|step| step.xtask().iter().any(|(_, x)| decides(x))).collect();
            if deciding.is_empty() {
                continue;
            }
            let nodes = std::iter::once(job.node).chain(deciding.iter().map(|step| step.node));
            for (key, value) in nodes.filter_map(|node| node.entry("continue-on-error")) {
                if value.text() != Some("false") {
                    found.add(
                        Location::at(workflow.path(), key.at()),
                        "`continue-on-error` hides a failure of this step or job",
                        "no `continue-on-error` here",
                        "remove it",
                    );
                }
            }
            for step in deciding {
                let shell = shell(&workflow, &job, step);
                script(workflow.path(), &step.commands(), Options::of(shell), found);
            }
        }
    }
    for source in script::scripts(tree) {
        // rule `script-head` demands `set -e`
        let options = Options { pipefail: false, stops: true, forgives: false };
        script(&source.path, source.commands(), options, found);
    }
}

fn decides(xtask: &Xtask) -> bool {
    DECIDE.contains(&xtask.command.as_str())
}

fn script(path: &str, commands: &[ShellCommand], mut options: Options, found: &mut Findings) {
    for (n, command) in commands.iter().enumerate() {
        options.set(command);
        if !Xtask::of(command).is_some_and(|x| decides(&x)) {
            continue;
        }
        if let Some(why) = masked(commands, n, &options) {
            found.add(
                Location::line(path, command.line),
                format!("the exit code of `{}` is lost: {why}", command.shown()),
                "a failure that fails the step",
                "let the command stand alone on its line",
            );
        }
    }
}

/// The shell that runs a step's script. Empty for the default, which is `bash -e`.
fn shell<'w>(
    workflow: &'w Workflow<'_>,
    job: &'w WorkflowJob<'_>,
    step: &'w WorkflowStep<'_>,
) -> &'w str {
    let default = ["defaults", "run", "shell"];
    let node = step.node.get("shell").or_else(|| job.node.path(&default));
    node.or_else(|| workflow.root.path(&default)).and_then(|node| node.text()).unwrap_or_default()
}

struct Options {
    pipefail: bool,
    /// errexit: the script stops at a failed command.
    stops: bool,
    /// A trap runs `exit 0` when the script ends or a command fails.
    forgives: bool,
}

impl Options {
    /// The options that a step's `shell:` sets.
    fn of(shell: &str) -> Options {
        let stops = !shell.contains("{0}") || shell.contains(" -e") || shell.contains("errexit");
        Options { pipefail: shell == "bash" || shell.contains("pipefail"), stops, forgives: false }
    }

    fn set(&mut self, command: &ShellCommand) {
        if command.program() == "trap" {
            let mut args = command.args().into_iter();
            let text = args.next().unwrap_or_default();
            let words: Vec<&str> = text.split([' ', ';', '\n', '{', '}', '&', '|']).collect();
            if args.any(|signal| matches!(signal, "EXIT" | "0" | "ERR")) {
                self.forgives = words.windows(2).any(|pair| pair == ["exit", "0"]);
            }
        }
        if command.program() != "set" {
            return;
        }
        let mut on = true;
        for arg in command.args() {
            on = if arg.starts_with(['-', '+']) { arg.starts_with('-') } else { on };
            let short = arg.starts_with(['-', '+']);
            if arg == "errexit" || (short && arg.contains('e')) {
                self.stops = on;
            }
            if arg == "pipefail" {
                self.pipefail = on;
            }
        }
    }
}

/// Says why the exit code of command `n` has no effect.
fn masked(commands: &[ShellCommand], n: usize, options: &Options) -> Option<&'static str> {
    let command = &commands[n];
    let rest = &commands[n + 1..];
    if options.forgives {
        return Some("a trap ends the script with `exit 0`");
    }
    match command.words.first().map_or("", |word| word.text.as_str()) {
        "!" => return Some("`!` inverts it"),
        "if" | "elif" | "while" | "until" if !rest.iter().any(exits) => {
            return Some("a condition consumes it, and no later `exit` fails the step");
        }
        "if" | "elif" | "while" | "until" => return None,
        _ => {}
    }
    match command.operator {
        "&" => return Some("the command runs in the background"),
        "||" if !handler_exits(rest) => return Some("`||` replaces it"),
        "||" => return None,
        "|" if !options.pipefail => return Some("a pipe replaces it, without `set -o pipefail`"),
        _ => {}
    }
    // set -e ignores a failure on the left of `&&`, unless the list ends the script
    let list = rest.iter().zip(commands[n..].iter().map(|c| c.operator));
    let list = list.take_while(|(_, before)| matches!(*before, "&&" | "|")).count();
    let ends = list == rest.len();
    match command.operator {
        _ if ends => None,
        "&&" => Some("after a failure on the left of `&&` the script continues"),
        _ if !options.stops => Some("the script continues without `set -e`"),
        _ => None,
    }
}

/// True if the commands after `||` end with a failure.
fn handler_exits(rest: &[ShellCommand]) -> bool {
    let Some(first) = rest.first() else { return false };
    let group = first.words.first().is_some_and(|word| word.text == "{");
    let ends = |c: &ShellCommand| c.words.first().is_some_and(|word| word.text == "}");
    // `|| status=$?`, and later `exit "$status"`
    let keeps = first.words.iter().any(|word| word.text.ends_with("=$?"));
    exits(first)
        || (keeps && rest.iter().any(exits))
        || (group && rest.iter().take_while(|c| !ends(c)).any(exits))
}

fn exits(command: &ShellCommand) -> bool {
    match (command.program(), command.args().first()) {
        ("exit" | "return", Some(code)) => *code != "0",
        ("exit" | "false", None) => true,
        _ => false,
    }
}
