//! Workflows: jobs, steps, and the commands that the steps run.

use super::script::Xtask;
use crate::parse::expression::{self, Expression};
use crate::parse::shell::{Command, commands};
use crate::parse::yaml::Node;
use crate::tree::{Source, Tree};
use std::collections::{BTreeMap, BTreeSet};

pub struct Workflow<'a> {
    pub source: &'a Source,
    pub root: &'a Node,
}

#[derive(Clone, Copy)]
pub struct Job<'w> {
    pub id: &'w str,
    pub key: &'w Node,
    pub node: &'w Node,
}

#[derive(Clone, Copy)]
pub struct Step<'w> {
    pub node: &'w Node,
}

pub fn is_workflow(path: &str) -> bool {
    let folder = path.starts_with(".gitea/workflows/") || path.starts_with(".github/workflows/");
    folder && (path.ends_with(".yaml") || path.ends_with(".yml"))
}

/// Every workflow that is YAML; rule `yaml` tells of the others.
pub fn all(tree: &Tree) -> Vec<Workflow<'_>> {
    tree.sources()
        .filter(|source| is_workflow(&source.path))
        .filter_map(|source| Some(Workflow { source, root: source.yaml().ok()? }))
        .collect()
}

impl Workflow<'_> {
    pub fn path(&self) -> &str {
        &self.source.path
    }

    pub fn jobs(&self) -> Vec<Job<'_>> {
        let jobs = self.root.get("jobs").map(Node::entries).unwrap_or_default();
        jobs.iter().filter_map(|(key, node)| Some(Job { id: key.text()?, key, node })).collect()
    }

    pub fn job(&self, id: &str) -> Option<Job<'_>> {
        self.jobs().into_iter().find(|job| job.id == id)
    }

    /// The jobs that must have succeeded before this one starts, over all links.
    pub fn ancestors(&self, job: &Job<'_>) -> Vec<Job<'_>> {
        let jobs = self.jobs();
        let by_id: BTreeMap<&str, Job<'_>> = jobs.iter().map(|job| (job.id, *job)).collect();
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut open: Vec<&str> = job.needs().iter().filter_map(|n| n.text()).collect();
        while let Some(id) = open.pop() {
            if let Some(next) = by_id.get(id).filter(|_| seen.insert(id)) {
                open.extend(next.needs().iter().filter_map(|n| n.text()));
                found.push(*next);
            }
        }
        found
    }

    /// Every expression: the keys that lead to it, its line and column, the parsed text.
    pub fn expressions(&self) -> Vec<(Vec<String>, (usize, usize), Expression)> {
        let mut found = Vec::new();
        self.root.walk(&mut Vec::new(), &mut |keys, node| found.extend(expressions_of(keys, node)));
        found
    }
}

/// The expressions of one value.
pub fn expressions_of(
    keys: &[&str],
    node: &Node,
) -> Vec<(Vec<String>, (usize, usize), Expression)> {
    let Some(text) = node.unfolded() else { return Vec::new() };
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let embedded = expression::embedded(text);
    if embedded.is_empty() && keys.last().is_some_and(|key| key == "if") {
        return vec![(keys, node.at(), expression::parse(text))];
    }
    let place = |line: usize| {
        if line == 0 { node.at() } else { (node.line + line, 1) }
    };
    embedded
        .into_iter()
        .map(|(line, text)| (keys.clone(), place(line), expression::parse(text)))
        .collect()
}

impl<'w> Job<'w> {
    pub fn needs(&self) -> Vec<&'w Node> {
        self.node.get("needs").map(Node::items).unwrap_or_default()
    }

    pub fn steps(&self) -> Vec<Step<'w>> {
        let steps = self.node.get("steps").map(Node::items).unwrap_or_default();
        steps.into_iter().map(|node| Step { node }).collect()
    }

    pub fn condition(&self) -> Option<(&'w Node, Expression)> {
        condition(self.node)
    }

    /// What the job's steps ask of xtask, with the command's line.
    pub fn xtask(&self) -> Vec<(usize, Xtask)> {
        self.steps().iter().flat_map(Step::xtask).collect()
    }

    pub fn has_matrix(&self) -> bool {
        self.node.path(&["strategy", "matrix"]).is_some()
    }
}

fn condition(node: &Node) -> Option<(&Node, Expression)> {
    let node = node.get("if")?;
    Some((node, expression::condition(node.text()?)))
}

impl<'w> Step<'w> {
    pub fn at(&self) -> (usize, usize) {
        self.node.at()
    }

    pub fn id(&self) -> Option<&'w str> {
        self.node.get("id")?.text()
    }

    /// What a person calls the step.
    pub fn title(&self) -> String {
        let named = ["name", "id", "uses"].iter().find_map(|key| self.node.get(key)?.text());
        let text = named.or_else(|| self.node.get("run")?.text()?.lines().next());
        format!("`{}`", text.unwrap_or("?"))
    }

    /// Action, and what stands behind the `@`.
    pub fn uses(&self) -> Option<(&'w Node, &'w str, &'w str)> {
        let node = self.node.get("uses")?;
        let text = node.text()?;
        let (action, version) = text.split_once('@').unwrap_or((text, ""));
        Some((node, action, version))
    }

    /// Uses the action of that name, whoever serves it: `https://host/actions/checkout` too.
    pub fn is_action(&self, name: &str) -> bool {
        self.uses()
            .is_some_and(|(_, action, _)| action == name || action.ends_with(&format!("/{name}")))
    }

    pub fn with(&self, key: &str) -> Option<&'w Node> {
        self.node.path(&["with", key])
    }

    pub fn condition(&self) -> Option<(&'w Node, Expression)> {
        condition(self.node)
    }

    /// Runs whatever came before.
    pub fn runs_always(&self) -> bool {
        self.condition().is_some_and(|(_, c)| c.calls("always"))
    }

    /// Also runs after a step that failed.
    pub fn runs_on_failure(&self) -> bool {
        self.condition()
            .is_some_and(|(_, c)| c.calls("always") || c.calls("failure") || c.calls("cancelled"))
    }

    pub fn commands(&self) -> Vec<Command> {
        let run = self.node.get("run");
        run.and_then(|node| Some(commands(node.text()?, node.line))).unwrap_or_default()
    }

    pub fn xtask(&self) -> Vec<(usize, Xtask)> {
        self.commands().iter().filter_map(|c| Some((c.line, Xtask::of(c)?))).collect()
    }
}
