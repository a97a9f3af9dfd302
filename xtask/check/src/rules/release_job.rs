//! The release runs on the tags that start the workflow, after the verification.

use crate::finding::{Location, Severity};
use crate::model::workflow::{self, Job, Workflow};
use crate::parse::pattern;
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, replace};
use crate::tree::Tree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "release-job",
        what: "the job that releases runs only on tags, on those that `on.push.tags` names, needs a job that verifies the product, and does not run when that failed",
        why: "a tag that starts nothing is noticed when somebody looks for the release; an ISO that was not built twice must never be published",
        source: "preflight rule 11; go-gitea/gitea#33123",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(WORKFLOW, "    tags: ['v*']\n", "", "refs/tags/v"),
        replace(WORKFLOW, "    tags: ['v*']\n", "    tags: ['release-*']\n", "refs/tags/v"),
        replace(WORKFLOW, "    needs: build-and-verify\n", "    needs: check\n", "needs: check"),
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
    ],
};

fn check(tree: &Tree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        let tags: Vec<&YamlNode> =
            workflow.root.path(&["on", "push", "tags"]).map(YamlNode::items).unwrap_or_default();
        let tags: Vec<&str> = tags.iter().filter_map(|tag| tag.text()).collect();
        for job in workflow.jobs().iter().filter(|job| releases(job)) {
            one(&workflow, job, &tags, found);
        }
    }
}

fn releases(job: &Job<'_>) -> bool {
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

fn one(workflow: &Workflow<'_>, job: &Job<'_>, tags: &[&str], found: &mut Findings) {
    let at = |node: &YamlNode| Location::at(workflow.path(), node.at());
    let condition = job.condition();
    let place = condition.as_ref().map_or(at(job.key), |(node, _)| at(node));
    let text = condition.as_ref().and_then(|(node, _)| node.text()).unwrap_or_default();
    let by_type = text.contains("ref_type") && text.contains("tag");
    let wanted =
        quoted(text).into_iter().find_map(|s| s.strip_prefix("refs/tags/").map(str::to_owned));
    let loose = text.contains("||") || text.contains("!startsWith") || text.contains("!=");
    let on_dispatch_only = workflow.root.get("on").is_some_and(|on| {
        on.entries().len() == 1
            && on.path(&["push", "tags"]).is_some()
            && on.path(&["push", "branches"]).is_none()
    });
    if (wanted.is_none() && !by_type || loose) && !on_dispatch_only {
        found.add(
            place.clone(),
            format!("job `{}` also runs when no tag was pushed", job.id),
            "`if: startsWith(github.ref, 'refs/tags/v')`",
            "add the condition",
        );
    }
    let prefix = wanted.unwrap_or_default();
    // one name that the condition takes, e.g. v1.1.0
    let sample = if prefix.is_empty() {
        "v1.1.0".to_owned()
    } else {
        format!("{prefix}1.1.0").replacen("vv", "v", 1)
    };
    if tags.is_empty() || !selected(tags, &sample) {
        found.add(
            place.clone(),
            format!(
                "a tag such as {sample} starts no run: `on.push.tags` is {}",
                if tags.is_empty() { "missing".into() } else { tags.join(", ") }
            ),
            "patterns there that match the tags this job waits for",
            "add the tags to `on.push.tags`",
        );
    }
    if let Some((_, expression)) = &condition
        && ["always", "failure", "cancelled"].iter().any(|f| expression.calls(f))
    {
        found.add(
            place,
            "the job runs even if the verification failed or was stopped",
            "a condition without always(), failure(), cancelled()",
            "remove the call: success() is what applies without one",
        );
    }
    let verifies = |job: &Job<'_>| {
        let xtask = job.xtask();
        xtask.iter().any(|(_, x)| {
            x.command == "verify" && (x.builds_product() || x.args.iter().any(|a| a == "--compare"))
        })
    };
    let itself = job.xtask().iter().any(|(_, x)| x.command == "verify" && x.builds_product());
    if !itself && !workflow.ancestors(job).iter().any(verifies) {
        let place = job.node.entry("needs").map_or(at(job.key), |(key, _)| at(key));
        found.add(
            place,
            format!("job `{}` needs no job that verifies the product", job.id),
            "`needs:` a job that runs `cargo xtask verify`",
            "add it to `needs:`",
        );
    }
    for ancestor in workflow.ancestors(job).iter().filter(|job| verifies(job)) {
        let soft = ancestor.node.get("continue-on-error").or_else(|| {
            let step = ancestor
                .steps()
                .into_iter()
                .find(|s| s.xtask().iter().any(|(_, x)| x.command == "verify"));
            step.and_then(|step| step.node.get("continue-on-error"))
        });
        if let Some(node) = soft.filter(|node| node.text() != Some("false")) {
            found.add(
                at(node),
                format!("job `{}` succeeds although its verification failed", ancestor.id),
                "no `continue-on-error` there",
                "remove it",
            );
        }
    }
}

/// The strings in single quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('\'').skip(1).step_by(2).collect()
}

/// Whether the patterns of `on.push.tags` take a tag: the last that matches decides.
fn selected(patterns: &[&str], tag: &str) -> bool {
    let mut taken = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if pattern::selects(pattern, tag) => taken = false,
            None if pattern::selects(pattern, tag) => taken = true,
            _ => {}
        }
    }
    taken
}
