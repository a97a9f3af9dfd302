//! The release runs on the tags that start the workflow, after the verification.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::scenario::{Scenario, Status};
use crate::model::workflow::{self, Workflow, WorkflowJob};
use crate::parse::expression::Expr;
use crate::parse::pattern;
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "release-job",
        what: "the job that releases runs on the tags that `on.push.tags` names and on nothing else; it needs a job that verifies the product, and all jobs that it needs run on tags and must succeed",
        why: "nobody notices a tag that starts no release until somebody looks for it; an ISO that was not built twice must never be published",
        source: "go-gitea/gitea#33123, #27906",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "    tags: ['v*']\n", "", "refs/tags/v"),
        replace(WORKFLOW, "    tags: ['v*']\n", "    tags: ['release-*']\n", "refs/tags/v"),
        replace(
            WORKFLOW,
            "cargo xtask verify --image",
            "cargo xtask verify canary --image",
            "needs: build-and-verify",
        ),
        replace(
            WORKFLOW,
            "if: startsWith(github.ref, 'refs/tags/v')",
            "if: always() && startsWith(github.ref, 'refs/tags/v')",
            "always()",
        ),
        replace(WORKFLOW, "    if: startsWith(github.ref, 'refs/tags/v')\n", "", "release:"),
        replace(
            WORKFLOW,
            "if: startsWith(github.ref, 'refs/tags/v')",
            "if: startsWith(github.ref, 'refs/tags/v') || github.event_name == 'schedule'",
            "||",
        ),
        replace(
            WORKFLOW,
            "if: startsWith(github.ref, 'refs/tags/v')",
            "if: ${{ !startsWith(github.ref, 'refs/tags/v') }}",
            "!startsWith",
        ),
        replace(
            WORKFLOW,
            "if: startsWith(github.ref, 'refs/tags/v')",
            "if: ${{ !failure() && startsWith(github.ref, 'refs/tags/v') }}",
            "!failure()",
        ),
        replace(
            WORKFLOW,
            "        run: cargo xtask verify --image",
            "        if: github.ref_type == 'branch'\n        run: cargo xtask verify --image",
            "needs: build-and-verify",
        ),
        replace(
            WORKFLOW,
            "    needs: build-and-verify\n",
            "    needs: [build-and-verify, compare]\n",
            "needs: [build-and-verify, compare]",
        ),
        replace(
            WORKFLOW,
            "if: startsWith(github.ref, 'refs/tags/v')",
            "if: github.event_name == 'schedule' && github.ref_type == 'tag'",
            "schedule",
        ),
        legal(
            WORKFLOW,
            "if: startsWith(github.ref, 'refs/tags/v')",
            "if: ${{ github.event_name == 'push' && github.ref_type == 'tag' }}",
        ),
        legal(
            WORKFLOW,
            "if: startsWith(github.ref, 'refs/tags/v')",
            "if: success() && startsWith(github.ref_name, 'v') && github.ref_type == 'tag'",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs().iter().filter(|job| releases(job)) {
            condition(&workflow, job, found);
            needs(&workflow, job, found);
        }
    }
}

fn releases(job: &WorkflowJob<'_>) -> bool {
    let by_xtask = job
        .xtask()
        .iter()
        .any(|(_, x)| x.command == "release" || x.command.starts_with("release "));
    let by_api = job.steps().iter().any(|step| {
        let run = step.node.get("run").and_then(YamlNode::text).unwrap_or_default();
        let action = step.uses().is_some_and(|(_, action, _)| action.contains("release"));
        action
            || (run.contains("/api/v1/") && run.contains("/releases"))
            || run.contains("tea release")
    });
    by_xtask || by_api || job.id == "release"
}

/// The job runs on a tag, and on nothing else, and not after a failure.
fn condition(workflow: &Workflow<'_>, job: &WorkflowJob<'_>, found: &mut Findings) {
    let condition = job.condition();
    let at = condition.as_ref().map_or(job.key.at(), |(node, _)| node.at());
    let location = Location::at(workflow.path(), at);
    let expr = condition.as_ref().map(|(_, expr)| expr);
    let tag = tag(expr);
    let tags = tags(workflow);
    if !selected(&tags, &tag) {
        let listed = if tags.is_empty() { "missing".into() } else { tags.join(", ") };
        found.add(
            location.clone(),
            format!("a tag such as {tag} starts no run: `on.push.tags` is {listed}"),
            "patterns in `on.push.tags` that match this job's tags",
            "add the tags to `on.push.tags`",
        );
    }
    let on_tag = Scenario::new("push", &format!("refs/tags/{tag}"));
    if on_tag.runs(expr) == Some(false) {
        found.add(
            location.clone(),
            format!("job `{}` does not run when the tag {tag} is pushed", job.id),
            "`if: startsWith(github.ref, 'refs/tags/v')`",
            "correct the condition",
        );
    }
    let others = other_runs(workflow);
    let also: Vec<&str> = others
        .iter()
        .filter(|(_, scenario)| scenario.runs(expr) != Some(false))
        .map(|(name, _)| *name)
        .collect();
    if !also.is_empty() {
        found.add(
            location.clone(),
            format!("job `{}` also runs without a tag: {}", job.id, also.join(", ")),
            "`if: startsWith(github.ref, 'refs/tags/v')`",
            "make the condition false for everything but tags",
        );
    }
    let unsuccessful = [Status::Failure, Status::Cancelled, Status::Skipped];
    if unsuccessful.into_iter().any(|status| on_tag.with_status(status).runs(expr) != Some(false)) {
        found.add(
            location,
            "the job runs even if the verification failed, was cancelled or was skipped",
            "a condition without always(), failure() and cancelled()",
            "remove the call: without one, success() applies",
        );
    }
}

/// The job needs a verification of the product, and nothing that a tag skips.
fn needs(workflow: &Workflow<'_>, job: &WorkflowJob<'_>, found: &mut Findings) {
    let at = job.node.entry("needs").map_or(job.key.at(), |(key, _)| key.at());
    let location = Location::at(workflow.path(), at);
    let ancestors = workflow.ancestors(job);
    let condition = job.condition().map(|(_, expr)| expr);
    let on_tag = Scenario::new("push", &format!("refs/tags/{}", tag(condition.as_ref())));
    let verifies = |job: &WorkflowJob<'_>, compares: bool| {
        job.steps().iter().any(|step| {
            let runs = on_tag.runs(step.condition().map(|(_, expr)| expr).as_ref());
            let verifies = step.xtask().iter().any(|(_, x)| {
                let compare = compares && x.args.iter().any(|arg| arg == "--compare");
                x.command == "verify" && (x.builds_product() || compare)
            });
            verifies && runs != Some(false)
        })
    };
    let itself = verifies(job, false);
    if !itself && !ancestors.iter().any(|job| verifies(job, true)) {
        found.add(
            location.clone(),
            format!("job `{}` needs no job that verifies the product on a tag", job.id),
            "`needs:` a job that runs `cargo xtask verify`",
            "add it to `needs:`",
        );
    }
    let needs = job.needs();
    let needs = needs.iter().filter_map(|need| workflow.job(need.text()?));
    for other in needs.filter(|other| on_tag.job_runs(workflow, other) == Some(false)) {
        found.add(
            location.clone(),
            format!("job `{}` needs `{}`, which does not run on a tag", job.id, other.id),
            "only jobs that run on tags, because a skipped job skips all jobs that need it",
            Fix::with("remove it from `needs:`, or let {} run on tags", &[other.id]),
        );
    }
}

fn tags<'w>(workflow: &'w Workflow<'_>) -> Vec<&'w str> {
    let tags = workflow.root.path(&["on", "push", "tags"]).map(YamlNode::items);
    tags.unwrap_or_default().into_iter().filter_map(YamlNode::text).collect()
}

/// A tag that fits the condition's own texts: v1.1.0, or another prefix of refs/tags/.
fn tag(condition: Option<&Expr>) -> String {
    let mut prefix = None;
    if let Some(condition) = condition {
        condition.walk(&mut |expr| {
            if let Expr::Text(text) = expr
                && let Some(rest) = text.strip_prefix("refs/tags/")
            {
                prefix = Some(rest.to_owned());
            }
        });
    }
    let prefix = prefix.unwrap_or_default();
    match prefix.as_str() {
        "" | "v" => "v1.1.0".to_owned(),
        other => format!("{other}1.1.0"),
    }
}

/// Runs without a tag that the workflow's events can start.
fn other_runs(workflow: &Workflow<'_>) -> Vec<(&'static str, Scenario)> {
    let events = workflow.events();
    let main = "refs/heads/main";
    let mut runs = Vec::new();
    // a push without filters, or with `branches`, is also one to a branch
    let push = workflow.root.path(&["on", "push"]);
    let only_tags =
        push.is_some_and(|push| push.get("tags").is_some() && push.get("branches").is_none());
    if events.contains(&"push") && !only_tags {
        runs.push(("push to a branch", Scenario::new("push", main)));
    }
    for (event, name) in [("schedule", "schedule"), ("workflow_dispatch", "by hand on a branch")] {
        if events.contains(&event) {
            runs.push((name, Scenario::new(event, main)));
        }
    }
    if events.contains(&"pull_request") {
        runs.push(("pull request", Scenario::pull_request(false)));
    }
    runs
}

/// True if the patterns of `on.push.tags` match a tag. The last matching pattern decides.
fn selected(patterns: &[&str], tag: &str) -> bool {
    let mut selected = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if pattern::selects(pattern, tag) => selected = false,
            None if pattern::selects(pattern, tag) => selected = true,
            _ => {}
        }
    }
    selected
}
