//! Scripts of steps read only variables that exist.

use crate::finding::{Location, Severity};
use crate::model::workflow;
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::rules::workflow_names::{runner_variables, variables};
use crate::tree::SourceTree;
use std::collections::BTreeSet;
use xtask_core::names::did_you_mean;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const DOCTOR: &str = "        run: cargo xtask doctor\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "run-variables",
        what: "a `run:` reads only environment variables that the workflow, the runner or the job image sets, or that the script sets itself",
        why: "a misspelt variable is an empty string: a build with another image, a result in another folder",
        source: "bash(1), without `set -u`; Gitea's and the runner's default variables",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "verify --image \"$IMAGE\" --output",
            "verify --image \"$IMGE\" --output",
            "IMGE",
        ),
        replace(
            WORKFLOW,
            "verify --compare build-a build-b",
            "verify --compare build-a \"build-${SIDE}\"",
            "SIDE",
        ),
        legal(WORKFLOW, DOCTOR, "        run: awk '{ print $NF }' README.md; cargo xtask doctor\n"),
        legal(
            WORKFLOW,
            DOCTOR,
            "        run: |\n          TARGET=x\n          for N in 1 2; do echo \"$N $TARGET\" \\$PRICE; done # $NOTHING\n          echo \"${LEVEL:-3} $HOME $RUNNER_OS $GITHUB_SHA\"\n          cargo xtask doctor\n",
        ),
        legal(
            WORKFLOW,
            DOCTOR,
            "        run: |\n          read -r FIRST _ <README.md\n          cat <<'END'\n          $ANYTHING\n          END\n          echo \"$FIRST\"; cargo xtask doctor\n",
        ),
    ],
};

/// Beginnings of variables that Gitea and its runner set.
const OF_THE_RUNNER: [&str; 5] = ["GITHUB_", "GITEA_", "RUNNER_", "ACTIONS_", "INPUT_"];
/// Variables of bash, and of every container.
const OF_THE_SHELL: [&str; 24] = [
    "BASH",
    "BASHPID",
    "BASH_SOURCE",
    "CI",
    "EUID",
    "FUNCNAME",
    "HOME",
    "HOSTNAME",
    "IFS",
    "LANG",
    "LC_ALL",
    "LINENO",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "PATH",
    "PIPESTATUS",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELL",
    "TMPDIR",
    "UID",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    let runner = runner_variables(tree);
    let image = of_images(tree);
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            // a step that writes GITHUB_ENV sets what nobody can tell from here
            let Some(known) = variables(&workflow, Some(&job), &runner) else { continue };
            for step in job.steps() {
                let Some(run) = step.node.get("run") else { continue };
                let shell = step.node.get("shell").and_then(YamlNode::text).unwrap_or("bash");
                if !shell.starts_with("bash") && !shell.starts_with("sh") {
                    continue;
                }
                let text = run.text().unwrap_or_default();
                let mut seen = BTreeSet::new();
                for (line, name) in read(text) {
                    let set = known.contains(&name)
                        || image.contains(&name)
                        || OF_THE_SHELL.contains(&name.as_str())
                        || OF_THE_RUNNER.iter().any(|start| name.starts_with(start));
                    if set || sets(text, &name) || !seen.insert(name.clone()) {
                        continue;
                    }
                    let expected = did_you_mean(&name, known.iter().map(String::as_str));
                    found.add(
                        Location::line(workflow.path(), run.line + line),
                        format!("nothing sets ${name}, so it is empty{expected}"),
                        format!("one of {}", known.join(", ")),
                        "correct the name, or set it in `env:`",
                    );
                }
            }
        }
    }
}

/// Variables that the job image's Dockerfile sets.
fn of_images(tree: &SourceTree) -> Vec<String> {
    let of_jobs = |path: &str| path.starts_with(".gitea/") && path.ends_with("Dockerfile");
    let files = tree.sources().filter(|source| of_jobs(&source.path));
    let instructions = files.flat_map(|source| &source.dockerfile().instructions);
    let words = instructions.filter(|i| i.keyword == "ENV").flat_map(|i| i.words());
    words.filter_map(|word| Some(word.split_once('=')?.0.to_owned())).collect()
}

/// Upper-case variables that a script expands, and their lines from 0: outside single quotes, comments and quoted
/// here-documents, and without a default (`${NAME:-…}`).
fn read(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut end: Option<String> = None;
    let (mut single, mut double) = (false, false);
    for (n, line) in text.lines().enumerate() {
        if let Some(word) = &end {
            if line.trim() == word {
                end = None;
            }
            continue;
        }
        let mut before = ' ';
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match c {
                '\'' if !double => single = !single,
                '"' if !single => double = !double,
                '\\' if !single => {
                    let skipped = after.chars().next().map_or(0, char::len_utf8);
                    rest = &after[skipped..];
                    before = 'x';
                    continue;
                }
                '#' if !single && !double && before.is_whitespace() => break,
                '$' if !single => {
                    let braces = after.starts_with('{');
                    let name = &after[usize::from(braces)..];
                    let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    let (name, then) = name.split_at(length.unwrap_or(name.len()));
                    let default =
                        braces && then.trim_start_matches(':').starts_with(['-', '+', '=', '?']);
                    let upper = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
                        && name.len() > 1
                        && !name.contains(|c: char| c.is_ascii_lowercase());
                    if upper && !default {
                        found.push((n, name.to_owned()));
                    }
                }
                _ => {}
            }
            before = c;
            rest = after;
        }
        let quoted =
            line.split_once("<<").map(|(_, word)| word.trim_start_matches('-').trim_start());
        let quoted = quoted.filter(|word| word.starts_with(['\'', '"', '\\']));
        end = quoted.map(|word| {
            let word = word.trim_start_matches(['\'', '"', '\\']);
            word.split(['\'', '"', ' ', ';', ')']).next().unwrap_or_default().to_owned()
        });
    }
    found
}

/// True if the script names the variable other than by `$`: an assignment, `for`, `read`, `export`, an option.
fn sets(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !after.starts_with(word)
            && !before.ends_with(word)
            && !before.ends_with('$')
            && !before.ends_with("${")
    })
}
