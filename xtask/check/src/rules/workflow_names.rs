//! Names and words in expressions exist.

use crate::finding::{Location, Severity};
use crate::model::runner::Runner;
use crate::model::workflow::{self, Workflow, WorkflowJob};
use crate::parse::expression::{Expr, Reference};
use crate::parse::yaml::{Value, YamlNode};
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::names::did_you_mean;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
const DIAGNOSIS: &str = "        if: failure() # keep the diagnosis\n";
const DOCTOR: &str = "        run: cargo xtask doctor\n";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-names",
        what: "expressions read only matrix values, inputs and variables that the workflow defines, and compare outcomes, events and refs with words that they can have",
        why: "an unknown name is an empty string, and a comparison with an impossible word is never true: the step silently does something else, or never runs",
        source: "GitHub's contexts reference",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "      SIDE: ${{ matrix.side }}\n",
            "      SIDE: ${{ matrix.sid }}\n",
            "matrix.sid",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        env:\n          SIDE: ${{ matrix.side }}\n        run: cargo xtask doctor\n",
            "matrix.side",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        if: inputs.doctor != 'no'\n        run: cargo xtask doctor\n",
            "inputs.doctor",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        if: github.event.inputs.doctor != 'no'\n        run: cargo xtask doctor\n",
            "inputs.doctor",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        if: env.IMAG != ''\n        run: cargo xtask doctor\n",
            "env.IMAG",
        ),
        replace(
            WORKFLOW,
            DIAGNOSIS,
            "        if: failure() || steps.verify.outcome == 'failed'\n",
            "'failed'",
        ),
        replace(
            WORKFLOW,
            DIAGNOSIS,
            "        if: failure() || contains(needs.*.result, 'error')\n",
            "'error'",
        ),
        replace(
            WORKFLOW,
            "if: github.event_name == 'workflow_dispatch'",
            "if: github.event_name == 'dispatch'",
            "'dispatch'",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        if: github.ref != 'main'\n        run: cargo xtask doctor\n",
            "'main'",
        ),
        legal(
            WORKFLOW,
            "permissions:\n",
            "run-name: ${{ inputs.fast }}${{ github.event.inputs.fast }}\npermissions:\n",
        ),
        replace(
            WORKFLOW,
            DOCTOR,
            "        if: inputs.side != 'left'\n        run: cargo xtask doctor\n",
            "'left'",
        ),
        legal(WORKFLOW, DOCTOR, "        if: env.image != ''\n        run: cargo xtask doctor\n"),
        legal(
            WORKFLOW,
            DOCTOR,
            "        if: env.OWN != ''\n        env:\n          OWN: 1\n        run: cargo xtask doctor\n",
        ),
        legal(
            WORKFLOW,
            DOCTOR,
            "        run: |\n          echo LATER=1 >>\"$GITHUB_ENV\"\n          cargo xtask doctor\n      - if: env.LATER == '1'\n        run: cargo xtask doctor\n",
        ),
        legal(
            WORKFLOW,
            "        side: [a, b]\n",
            "        side: [a, b]\n        include:\n          - side: a\n            cpu: 2\n    name: ${{ matrix.cpu }}\n",
        ),
        legal(
            WORKFLOW,
            DIAGNOSIS,
            "        if: failure() || steps.verify.outcome == 'skipped' || 'cancelled' == job.status\n",
        ),
    ],
};

const OUTCOMES: &[&str] = &["success", "failure", "cancelled", "skipped"];

fn check(tree: &SourceTree, found: &mut Findings) {
    let runner = runner_variables(tree);
    for workflow in workflow::all(tree) {
        for (keys, at, expr) in workflow.expressions() {
            let job = match keys.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["jobs", id, ..] => workflow.job(id),
                _ => None,
            };
            let mut add = |what: String, expected: String| {
                found.add(Location::at(workflow.path(), at), what, expected, "correct the name");
            };
            for reference in expr.references() {
                let words: Vec<&str> = reference.iter().map(String::as_str).collect();
                let (kind, name, known) = match words.as_slice() {
                    ["matrix", name, ..] => ("matrix value", name, matrix(job.as_ref())),
                    ["inputs", name, ..] | ["github", "event", "inputs", name, ..] => {
                        ("input", name, inputs(&workflow))
                    }
                    ["env", name, ..] => {
                        ("variable", name, variables(&workflow, job.as_ref(), &runner))
                    }
                    _ => continue,
                };
                let Some(known) = known else { continue };
                if *name == "*" || known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    continue;
                }
                let suggestion = did_you_mean(name, known.iter().map(String::as_str));
                let expected = match known.is_empty() {
                    true => format!("the workflow defines no {kind} here"),
                    false => known.join(", "),
                };
                add(format!("no {kind} is named `{name}`{suggestion}"), expected);
            }
            for (reference, text) in words(&expr) {
                if let Some(expected) = impossible(&workflow, reference, text) {
                    add(format!("`{}` is never '{text}'", reference.join(".")), expected);
                }
            }
        }
    }
}

/// Comparisons with a text: by an operator, and by `contains()`.
fn words(expr: &Expr) -> Vec<(&Reference, &str)> {
    let mut found = expr.comparisons();
    expr.walk(&mut |expr| {
        if let Expr::Call(name, arguments) = expr
            && name == "contains"
            && let [Expr::Reference(reference), Expr::Text(text)] = arguments.as_slice()
            && reference.iter().any(|word| word == "*")
        {
            found.push((reference, text));
        }
    });
    found
}

/// The words that a reference can have, if `text` is not among them.
fn impossible(workflow: &Workflow<'_>, reference: &Reference, text: &str) -> Option<String> {
    let words: Vec<&str> = reference.iter().map(String::as_str).collect();
    let known = match words.as_slice() {
        ["steps", _, "outcome" | "conclusion"] | ["needs", _, "result"] => OUTCOMES,
        ["job", "status"] => &OUTCOMES[..3],
        ["github", "event_name"] => super::workflow_keys::EVENTS,
        ["github", "ref_type"] => &["branch", "tag"],
        ["github", "ref"] => {
            let possible = text.is_empty() || text.starts_with("refs/");
            return (!possible).then(|| "a full ref such as refs/heads/main".to_owned());
        }
        ["inputs", name] | ["github", "event", "inputs", name] => {
            let options = ["on", "workflow_dispatch", "inputs", name, "options"];
            let options = workflow.root.path(&options)?.items();
            let options: Vec<&str> = options.into_iter().filter_map(YamlNode::text).collect();
            let possible = text.is_empty() || options.contains(&text);
            return (!possible).then(|| format!("one of {}", options.join(", ")));
        }
        _ => return None,
    };
    let listed = known.iter().any(|known| known.eq_ignore_ascii_case(text));
    (!listed).then(|| format!("one of {}", known.join(", ")))
}

/// Names of the matrix; `None` if an expression makes them.
fn matrix(job: Option<&WorkflowJob<'_>>) -> Option<Vec<String>> {
    let Some(matrix) = job.and_then(|job| job.node.path(&["strategy", "matrix"])) else {
        return Some(Vec::new());
    };
    let mut names = keys(matrix)?;
    for item in matrix.get("include").map(YamlNode::items).unwrap_or_default() {
        names.extend(keys(item)?);
    }
    names.retain(|name| !matches!(name.as_str(), "include" | "exclude"));
    Some(names)
}

/// The keys of a mapping; `None` if an expression makes them.
fn keys(node: &YamlNode) -> Option<Vec<String>> {
    let Value::Map(entries) = &node.value else { return None };
    let names: Vec<&str> = entries.iter().filter_map(|(key, _)| key.text()).collect();
    let dynamic = names.iter().any(|name| name.contains("${{"));
    (!dynamic).then(|| names.into_iter().map(str::to_owned).collect())
}

fn inputs(workflow: &Workflow<'_>) -> Option<Vec<String>> {
    let events = ["workflow_dispatch", "workflow_call"];
    let inputs = events.iter().filter_map(|event| workflow.root.path(&["on", event, "inputs"]));
    Some(inputs.filter_map(keys).flatten().collect())
}

/// Variables of workflow, job, steps and runner; `None` if a step makes more.
pub(crate) fn variables(
    workflow: &Workflow<'_>,
    job: Option<&WorkflowJob<'_>>,
    runner: &[String],
) -> Option<Vec<String>> {
    let mut names = runner.to_vec();
    let steps = job.map(WorkflowJob::steps).unwrap_or_default();
    let nodes = [Some(workflow.root), job.map(|job| job.node)].into_iter().flatten();
    for node in nodes.chain(steps.iter().map(|step| step.node)) {
        let run = node.get("run").and_then(YamlNode::text).unwrap_or_default();
        if run.contains("GITHUB_ENV") || run.contains("GITEA_ENV") {
            return None;
        }
        if let Some(env) = node.get("env") {
            names.extend(keys(env)?);
        }
    }
    Some(names)
}

/// Variables that the runner's configuration gives to every job.
pub(crate) fn runner_variables(tree: &SourceTree) -> Vec<String> {
    let runner = Runner::read(tree);
    let envs = runner.as_ref().and_then(|runner| runner.root.path(&["runner", "envs"]));
    envs.and_then(keys).unwrap_or_default()
}
