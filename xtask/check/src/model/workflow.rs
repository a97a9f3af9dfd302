//! Workflows: jobs, steps, and the commands that the steps run.

use super::container::{MountOption, mounts, options_of_text, volume};
use super::runner::{PATH, Runner};
use super::script::Xtask;
use crate::parse::expression::{self, Expr};
use crate::parse::shell::{ShellCommand, commands};
use crate::parse::yaml::YamlNode;
use crate::tree::{SourceFile, SourceTree};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Workflow<'a> {
    pub(crate) source: &'a SourceFile,
    pub(crate) root: &'a YamlNode,
}

#[derive(Clone, Copy)]
pub(crate) struct WorkflowJob<'w> {
    pub(crate) id: &'w str,
    pub(crate) key: &'w YamlNode,
    pub(crate) node: &'w YamlNode,
}

#[derive(Clone, Copy)]
pub(crate) struct WorkflowStep<'w> {
    pub(crate) node: &'w YamlNode,
}

/// Folders with workflows. Gitea reads only the first one that exists.
pub(crate) const FOLDER: &str = ".gitea/workflows/";
pub(crate) const GITHUB_FOLDER: &str = ".github/workflows/";

/// True for files that Gitea reads as workflows.
pub(crate) fn is_workflow(path: &str) -> bool {
    path.starts_with(FOLDER) && (path.ends_with(".yaml") || path.ends_with(".yml"))
}

/// Every workflow that is valid YAML. Rule `yaml` reports the others.
/// Every mount that a job gets, from the runner's configuration or from a workflow, with the path of that file.
pub(crate) fn mounts_of_jobs(tree: &SourceTree) -> Vec<(String, MountOption)> {
    let runner = Runner::read(tree).map(|runner| runner.mounts()).unwrap_or_default();
    let mut found: Vec<_> = runner.into_iter().map(|mount| (PATH.to_owned(), mount)).collect();
    for workflow in all(tree) {
        for mount in workflow.jobs().iter().flat_map(WorkflowJob::mounts) {
            found.push((workflow.path().to_owned(), mount));
        }
    }
    found
}

pub(crate) fn all(tree: &SourceTree) -> Vec<Workflow<'_>> {
    tree.sources()
        .filter(|source| is_workflow(&source.path))
        .filter_map(|source| Some(Workflow { source, root: source.yaml().ok()? }))
        .collect()
}

impl Workflow<'_> {
    pub(crate) fn path(&self) -> &str {
        &self.source.path
    }

    pub(crate) fn jobs(&self) -> Vec<WorkflowJob<'_>> {
        let jobs = self.root.get("jobs").map(YamlNode::entries).unwrap_or_default();
        jobs.iter()
            .filter_map(|(key, node)| Some(WorkflowJob { id: key.text()?, key, node }))
            .collect()
    }

    pub(crate) fn job(&self, id: &str) -> Option<WorkflowJob<'_>> {
        self.jobs().into_iter().find(|job| job.id == id)
    }

    /// Names of the events in `on:`.
    pub(crate) fn events(&self) -> Vec<&str> {
        self.event_nodes().into_iter().filter_map(YamlNode::text).collect()
    }

    /// The nodes that name the events in `on:`.
    pub(crate) fn event_nodes(&self) -> Vec<&YamlNode> {
        let Some(on) = self.root.get("on") else { return Vec::new() };
        match on.entries() {
            [] => on.items(),
            entries => entries.iter().map(|(key, _)| key).collect(),
        }
    }

    /// All jobs that this one needs, directly or through others.
    pub(crate) fn ancestors(&self, job: &WorkflowJob<'_>) -> Vec<WorkflowJob<'_>> {
        let jobs = self.jobs();
        let by_id: BTreeMap<&str, WorkflowJob<'_>> =
            jobs.iter().map(|job| (job.id, *job)).collect();
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

    /// Every expression: the keys that lead to it, its line and column, and the parsed text.
    pub(crate) fn expressions(&self) -> Vec<(Vec<String>, (usize, usize), Expr)> {
        let mut found = Vec::new();
        self.root.walk(&mut Vec::new(), &mut |keys, node| found.extend(expressions_of(keys, node)));
        found
    }
}

/// The expressions of one value.
pub(crate) fn expressions_of(
    keys: &[&str],
    node: &YamlNode,
) -> Vec<(Vec<String>, (usize, usize), Expr)> {
    let Some(text) = node.unfolded() else { return Vec::new() };
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let embedded = expression::embedded(text);
    if embedded.is_empty() && keys.last().is_some_and(|key| key == "if") {
        return vec![(keys, node.at(), expression::condition(text))];
    }
    let place = |line: usize| {
        if line == 0 { node.at() } else { (node.line + line, 1) }
    };
    embedded
        .into_iter()
        .map(|(line, text)| (keys.clone(), place(line), expression::parse(&text)))
        .collect()
}

impl<'w> WorkflowJob<'w> {
    pub(crate) fn needs(&self) -> Vec<&'w YamlNode> {
        self.node.get("needs").map(YamlNode::items).unwrap_or_default()
    }

    pub(crate) fn steps(&self) -> Vec<WorkflowStep<'w>> {
        let steps = self.node.get("steps").map(YamlNode::items).unwrap_or_default();
        steps.into_iter().map(|node| WorkflowStep { node }).collect()
    }

    pub(crate) fn condition(&self) -> Option<(&'w YamlNode, Expr)> {
        condition(self.node)
    }

    /// Calls of xtask in the job's steps, with their lines.
    pub(crate) fn xtask(&self) -> Vec<(usize, Xtask)> {
        self.steps().iter().flat_map(WorkflowStep::xtask).collect()
    }

    /// The mounts of its container and of its services.
    pub(crate) fn mounts(&self) -> Vec<MountOption> {
        let services = self.node.get("services").map(YamlNode::entries).unwrap_or_default();
        let containers = self.node.get("container").into_iter();
        let mut found = Vec::new();
        for container in containers.chain(services.iter().map(|(_, node)| node)) {
            let listed = container.get("volumes").map(YamlNode::items).unwrap_or_default();
            found.extend(listed.iter().filter_map(|node| Some(volume(node.text()?, node.line))));
            let options = container.get("options");
            let text = options.and_then(|node| Some((node.unfolded()?, node.line)));
            found.extend(
                text.map(|(text, line)| mounts(&options_of_text(text, line))).unwrap_or_default(),
            );
        }
        found
    }

    pub(crate) fn has_matrix(&self) -> bool {
        self.node.path(&["strategy", "matrix"]).is_some()
    }
}

fn condition(node: &YamlNode) -> Option<(&YamlNode, Expr)> {
    let node = node.get("if")?;
    Some((node, expression::condition(node.text()?)))
}

impl<'w> WorkflowStep<'w> {
    pub(crate) fn at(&self) -> (usize, usize) {
        self.node.at()
    }

    pub(crate) fn id(&self) -> Option<&'w str> {
        self.node.get("id")?.text()
    }

    /// A name for the step in messages.
    pub(crate) fn title(&self) -> String {
        let named = ["name", "id", "uses"].iter().find_map(|key| self.node.get(key)?.text());
        let text = named.or_else(|| self.node.get("run")?.text()?.lines().next());
        format!("`{}`", text.unwrap_or("?"))
    }

    /// The action and its version after the `@`.
    pub(crate) fn uses(&self) -> Option<(&'w YamlNode, &'w str, &'w str)> {
        let node = self.node.get("uses")?;
        let text = node.text()?;
        let (action, version) = text.split_once('@').unwrap_or((text, ""));
        Some((node, action, version))
    }

    /// True if the step uses that action, from any server (`https://host/actions/checkout`).
    pub(crate) fn is_action(&self, name: &str) -> bool {
        self.uses()
            .is_some_and(|(_, action, _)| action == name || action.ends_with(&format!("/{name}")))
    }

    pub(crate) fn with(&self, key: &str) -> Option<&'w YamlNode> {
        self.node.path(&["with", key])
    }

    pub(crate) fn condition(&self) -> Option<(&'w YamlNode, Expr)> {
        condition(self.node)
    }

    pub(crate) fn commands(&self) -> Vec<ShellCommand> {
        let run = self.node.get("run");
        run.and_then(|node| Some(commands(node.text()?, node.line))).unwrap_or_default()
    }

    pub(crate) fn xtask(&self) -> Vec<(usize, Xtask)> {
        self.commands().iter().filter_map(|c| Some((c.line, Xtask::of(c)?))).collect()
    }
}
