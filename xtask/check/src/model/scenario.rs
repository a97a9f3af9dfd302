//! Evaluation of conditions: does a job or a step run when this event came and that step failed?
//!
//! Values that the files do not tell are unknown, so an answer is yes, no, or unknown.

use crate::model::workflow::{Workflow, WorkflowJob, WorkflowStep};
use crate::parse::expression::Expr;
use std::collections::BTreeMap;

/// A value, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
enum Known {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

/// Outcome of everything before a job or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    Failure,
    Cancelled,
    /// A needed job was skipped: then no status function but `always()` is true.
    Skipped,
}

/// An assumed run: the event, and the outcome so far.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    status: Status,
    /// Contexts by their path in lower case. A value that is not listed is unknown.
    values: BTreeMap<String, Known>,
    /// Paths below which everything that is not listed is null.
    absent: Vec<&'static str>,
}

const REPOSITORY: &str = "OWNER/REPOSITORY";

impl Scenario {
    /// A run of this event on this ref, such as `refs/tags/v1.1.0`.
    pub(crate) fn new(event: &str, reference: &str) -> Scenario {
        let mut scenario =
            Scenario { status: Status::Success, values: BTreeMap::new(), absent: Vec::new() };
        scenario.set("github.event_name", event);
        scenario.set("github.repository", REPOSITORY);
        scenario.set("github.ref", reference);
        let (kind, name) = match reference.strip_prefix("refs/tags/") {
            Some(tag) => ("tag", tag),
            None => ("branch", reference.trim_start_matches("refs/heads/")),
        };
        scenario.set("github.ref_type", kind);
        scenario.set("github.ref_name", name);
        if event != "workflow_dispatch" {
            scenario.absent.extend(["github.event.inputs", "inputs"]);
        }
        if !event.starts_with("pull_request") {
            scenario.absent.extend(["github.event.pull_request", "github.head_ref"]);
        }
        scenario
    }

    /// A pull request from a fork, or from a branch of this repository.
    pub(crate) fn pull_request(from_fork: bool) -> Scenario {
        let mut scenario = Scenario::new("pull_request", "refs/pull/1/head");
        let head = if from_fork { "STRANGER/REPOSITORY" } else { REPOSITORY };
        scenario.set("github.event.pull_request.head.repo.full_name", head);
        scenario.set("github.event.pull_request.base.repo.full_name", REPOSITORY);
        scenario.set("github.event.repository.full_name", REPOSITORY);
        let fork = Known::Bool(from_fork);
        scenario.values.insert("github.event.pull_request.head.repo.fork".into(), fork);
        scenario
    }

    pub(crate) fn set(&mut self, path: &str, text: &str) {
        self.values.insert(path.to_ascii_lowercase(), Known::Text(text.to_owned()));
    }

    pub(crate) fn with_status(&self, status: Status) -> Scenario {
        Scenario { status, ..self.clone() }
    }

    /// True, false, or `None` if the files do not tell.
    pub(crate) fn holds(&self, expr: &Expr) -> Option<bool> {
        match expr {
            Expr::Not(inner) => self.holds(inner).map(|value| !value),
            Expr::Binary("&&", a, b) => match (self.holds(a), self.holds(b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Expr::Binary("||", a, b) => match (self.holds(a), self.holds(b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            _ => self.value(expr).map(|value| value.is_true()),
        }
    }

    fn value(&self, expr: &Expr) -> Option<Known> {
        match expr {
            Expr::Null => Some(Known::Null),
            Expr::Bool(value) => Some(Known::Bool(*value)),
            Expr::Number(value) => Some(Known::Number(*value)),
            Expr::Text(value) => Some(Known::Text(value.clone())),
            Expr::Reference(words) => self.lookup(&words.join(".").to_ascii_lowercase()),
            Expr::Call(name, arguments) => self.call(name, arguments),
            // `&&` and `||` give one of their operands
            Expr::Binary("&&", a, b) => match self.holds(a) {
                Some(true) => self.value(b),
                Some(false) => self.value(a),
                None => None,
            },
            Expr::Binary("||", a, b) => match self.holds(a) {
                Some(true) => self.value(a),
                Some(false) => self.value(b),
                None => None,
            },
            Expr::Binary("==", a, b) => Some(Known::Bool(self.value(a)?.equals(&self.value(b)?))),
            Expr::Binary("!=", a, b) => Some(Known::Bool(!self.value(a)?.equals(&self.value(b)?))),
            Expr::Not(_) => self.holds(expr).map(Known::Bool),
            Expr::Binary(..) | Expr::Broken(_) => None,
        }
    }

    fn lookup(&self, path: &str) -> Option<Known> {
        let below = |prefix: &&str| {
            path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let value = self.values.get(path).cloned();
        value.or_else(|| self.absent.iter().any(below).then_some(Known::Null))
    }

    fn call(&self, name: &str, arguments: &[Expr]) -> Option<Known> {
        let status = |status| Some(Known::Bool(self.status == status));
        match (name, arguments) {
            ("always", _) => Some(Known::Bool(true)),
            ("success", _) => status(Status::Success),
            ("failure", _) => status(Status::Failure),
            ("cancelled", _) => status(Status::Cancelled),
            // the files are there in every run that this module assumes
            ("hashfiles", _) => Some(Known::Text("hash".into())),
            ("startswith" | "endswith" | "contains", [a, b]) => {
                let text = |expr| Some(self.value(expr)?.text().to_ascii_lowercase());
                let (a, b) = (text(a)?, text(b)?);
                Some(Known::Bool(match name {
                    "startswith" => a.starts_with(&b),
                    "endswith" => a.ends_with(&b),
                    _ => a.contains(&b),
                }))
            }
            _ => None,
        }
    }

    /// Does a job or a step with this condition run? Without a status function, `success()` is implied.
    pub(crate) fn runs(&self, condition: Option<&Expr>) -> Option<bool> {
        let implied = condition.is_none_or(|condition| !calls_status(condition));
        if implied && self.status != Status::Success {
            return Some(false);
        }
        condition.map_or(Some(true), |condition| self.holds(condition))
    }

    /// Does the job run, if every job that runs succeeds?
    pub(crate) fn job_runs(&self, workflow: &Workflow<'_>, job: &WorkflowJob<'_>) -> Option<bool> {
        self.job_runs_within(workflow, job, 0)
    }

    fn job_runs_within(
        &self,
        workflow: &Workflow<'_>,
        job: &WorkflowJob<'_>,
        depth: usize,
    ) -> Option<bool> {
        /// Rule `workflow-needs` reports cycles.
        const MAX_DEPTH: usize = 30;
        let needs = job.needs();
        let needs = needs.iter().filter_map(|need| workflow.job(need.text()?));
        let mut needed = Some(true);
        for need in needs.filter(|_| depth < MAX_DEPTH) {
            match self.job_runs_within(workflow, &need, depth + 1) {
                Some(false) => needed = Some(false),
                None if needed == Some(true) => needed = None,
                _ => {}
            }
        }
        let condition = job.condition().map(|(_, condition)| condition);
        let with = |status| self.with_status(status).runs(condition.as_ref());
        match needed {
            Some(true) => with(self.status),
            Some(false) => with(Status::Skipped),
            None => {
                let (a, b) = (with(self.status), with(Status::Skipped));
                if a == b { a } else { None }
            }
        }
    }

    /// Does the step run after one of the steps before it failed?
    pub(crate) fn step_runs_after_failure(
        step: &WorkflowStep<'_>,
        failed: &WorkflowStep<'_>,
    ) -> Option<bool> {
        let mut scenario =
            Scenario { status: Status::Failure, values: BTreeMap::new(), absent: Vec::new() };
        scenario.set("job.status", "failure");
        if let Some(id) = failed.id() {
            scenario.set(&format!("steps.{id}.outcome"), "failure");
            scenario.set(&format!("steps.{id}.conclusion"), "failure");
        }
        scenario.runs(step.condition().map(|(_, condition)| condition).as_ref())
    }

    /// Does the step run whatever the outcome of the steps before it, even after a cancel?
    pub(crate) fn step_always_runs(step: &WorkflowStep<'_>) -> bool {
        let condition = step.condition().map(|(_, condition)| condition);
        [Status::Success, Status::Failure, Status::Cancelled].into_iter().all(|status| {
            let scenario = Scenario { status, values: BTreeMap::new(), absent: Vec::new() };
            scenario.runs(condition.as_ref()) == Some(true)
        })
    }
}

fn calls_status(condition: &Expr) -> bool {
    let functions = condition.functions();
    functions.iter().any(|name| matches!(*name, "always" | "success" | "failure" | "cancelled"))
}

impl Known {
    fn is_true(&self) -> bool {
        match self {
            Known::Null => false,
            Known::Bool(value) => *value,
            Known::Number(value) => *value != 0.0,
            Known::Text(text) => !text.is_empty(),
        }
    }

    fn text(&self) -> String {
        match self {
            Known::Null => String::new(),
            Known::Bool(value) => value.to_string(),
            Known::Number(value) => value.to_string(),
            Known::Text(text) => text.clone(),
        }
    }

    /// Compares as GitHub does: texts without case, values of different types as numbers.
    fn equals(&self, other: &Known) -> bool {
        match (self, other) {
            (Known::Text(a), Known::Text(b)) => a.eq_ignore_ascii_case(b),
            (Known::Null, Known::Null) => true,
            (a, b) => a.number() == b.number(),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Known::Null => 0.0,
            Known::Bool(value) => f64::from(u8::from(*value)),
            Known::Number(value) => *value,
            Known::Text(text) if text.trim().is_empty() => 0.0,
            Known::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::expression::condition;

    #[test]
    fn status_functions_decide() {
        let push = Scenario::new("push", "refs/heads/main");
        for (text, success, failure, cancelled) in [
            ("always()", true, true, true),
            ("failure()", false, true, false),
            ("!success()", false, true, true),
            ("${{ !failure() }}", true, false, true),
            ("success() || failure()", true, true, false),
            ("github.event_name == 'push'", true, false, false),
            ("always() && github.event_name != 'push'", false, false, false),
        ] {
            let runs = |status| push.with_status(status).runs(Some(&condition(text)));
            assert_eq!(runs(Status::Success), Some(success), "{text}");
            assert_eq!(runs(Status::Failure), Some(failure), "{text}");
            assert_eq!(runs(Status::Cancelled), Some(cancelled), "{text}");
        }
    }

    #[test]
    fn unknown_values_stay_unknown() {
        let tag = Scenario::new("push", "refs/tags/v1.1.0");
        for (text, expected) in [
            ("startsWith(github.ref, 'refs/tags/v')", Some(true)),
            ("github.ref_type == 'TAG' && vars.X == 'y'", None),
            ("github.ref_type == 'branch' && vars.X == 'y'", Some(false)),
            ("vars.X || github.ref_type == 'tag'", Some(true)),
            ("github.event.inputs.machines == '2'", Some(false)),
            ("github.event.inputs.machines != '2'", Some(true)),
            ("!inputs.fast", Some(true)),
            ("fromJSON(vars.X).y", None),
            ("(vars.X && 'a' || 'b') != ''", None),
        ] {
            assert_eq!(tag.holds(&condition(text)), expected, "{text}");
        }
    }
}
