//! Shell commands, wherever the repository has them.

use super::{script, workflow};
use crate::parse::shell::ShellCommand;
use crate::tree::SourceTree;

/// Calls `look` with each command of a workflow's step or of a script, and the path of its file.
pub(crate) fn each(tree: &SourceTree, mut look: impl FnMut(&str, &ShellCommand)) {
    for workflow in workflow::all(tree) {
        for step in workflow.jobs().iter().flat_map(workflow::WorkflowJob::steps) {
            step.commands().iter().for_each(|command| look(workflow.path(), command));
        }
    }
    for source in script::scripts(tree) {
        source.commands().iter().for_each(|command| look(&source.path, command));
    }
}
