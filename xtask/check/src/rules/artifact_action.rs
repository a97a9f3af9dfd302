//! The artifact actions work with the declared runner.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::versions::{self, PATH, Version};
use crate::model::workflow;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

/// Since this version the runner patches the stock actions, which otherwise refuse every server but
/// GitHub. Runners 3.0 to 3.2 patch them only if their cache is enabled (`patchToolkit` in the runner's
/// internal/app/run/runner.go), and `.gitea/runner/config.yaml` disables it.
const MENDED_SINCE: [u64; 2] = [3, 3];

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "artifact-action",
        what: "upload-artifact and download-artifact name their version in a comment and share one major version; v4 or newer needs runner 3.3",
        why: "on older runners v4 stops with GHESNotSupportedError, after the hours that made the artifact; v3 and v4 do not see each other's artifacts",
        source: "go-gitea/gitea#31256, #36024; release notes of runner 3.0.0; tried on a runner 3.1 without a cache",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PATH, "runner = \"3.3.0\"", "runner = \"2.4.0\"", ""),
        replace(PATH, "runner = \"3.3.0\"", "runner = \"3.2.0\"", ""),
        replace(WORKFLOW, "f43607fa02 # v4.6.2", "f43607fa02", "f43607fa02"),
        replace(WORKFLOW, "f43607fa02 # v4.6.2", "f43607fa02 # v3.2.1", "# v3.2.1"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let runner = versions::read(tree).runner;
    for workflow in workflow::all(tree) {
        let mut all: Vec<(u64, Location)> = Vec::new();
        for job in workflow.jobs() {
            for step in job.steps() {
                if !step.is_action("actions/upload-artifact")
                    && !step.is_action("actions/download-artifact")
                {
                    continue;
                }
                let Some((node, action, version)) = step.uses() else { continue };
                let place = Location::at(workflow.path(), node.at());
                let comment =
                    workflow.source.line(node.line).split_once(" #").map_or("", |(_, c)| c.trim());
                let tag = if comment.is_empty() { version } else { comment };
                let Some(major) = major(tag) else {
                    found.add(
                        place,
                        format!("nothing says which version of `{action}` this is"),
                        "the tag in a comment behind the commit: `# v4.6.2`",
                        "add the comment",
                    );
                    continue;
                };
                let old =
                    runner.as_ref().filter(|runner| **runner < Version(MENDED_SINCE.to_vec()));
                if let Some(runner) = old.filter(|_| major >= 4) {
                    found.add(
                        place.clone(),
                        format!("`{action}` v{major} refuses to work on runner {runner}, which {PATH} declares"),
                        "runner 3.3 or newer, or v3 of the action",
                        Fix::with("upgrade the runner and its line in {}", &[PATH]),
                    );
                }
                all.push((major, place));
            }
        }
        mixed(&all, found);
    }
}

/// Reports mixed versions: v3 and v4 cannot download each other's artifacts.
fn mixed(all: &[(u64, Location)], found: &mut Findings) {
    let (old, new): (Vec<_>, Vec<_>) = all.iter().partition(|(major, _)| *major < 4);
    let (few, many) = if old.len() < new.len() { (old, new) } else { (new, old) };
    let Some((other, place)) = many.first() else { return };
    for (major, odd) in few {
        let what = format!(
            "v{major} here and v{other} in line {} do not see each other's artifacts",
            place.line
        );
        found.add(odd.clone(), what, "one major version", "take the same version everywhere");
    }
}

fn major(tag: &str) -> Option<u64> {
    let digits: String =
        tag.trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
    let is_tag = tag.starts_with('v') || (tag.len() < 12 && tag.contains('.'));
    if is_tag { digits.parse().ok() } else { None }
}
