//! The runner allows every mount.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::model::container::{MountOption, volume};
use crate::model::runner::{PATH, Runner};
use crate::model::workflow;
use crate::parse::pattern::{self, Star};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
/// The runner mounts and allows it on its own.
const SOCKET: &str = "/var/run/docker.sock";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "runner-volumes",
        what: "every mount in `container.options` and in a job's `container:` matches a pattern in `valid_volumes`; with `bind_workdir`, so do the workspaces",
        why: "the runner drops other mounts with only a warning in the log; a missing config.json shows up an hour later as a 401",
        source: "the runner's docker_run.go, 3.3",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PATH, "    - example-cache\n", "", "example-cache:"),
        replace(
            PATH,
            "    - /root/.docker/config.json\n",
            "    - /root/.docker/config.jsn\n",
            "config.json:ro",
        ),
        replace(PATH, "container:\n", "container:\n  bind_workdir: true\n", "bind_workdir"),
        replace(
            PATH,
            "  valid_volumes:\n",
            "  bind_workdir: true\n  workdir_parent: /srv/work\n  valid_volumes:\n    - /workspace/**\n",
            "workdir_parent",
        ),
        legal(
            PATH,
            "  valid_volumes:\n",
            "  bind_workdir: true\n  workdir_parent: srv/work\n  valid_volumes:\n    - /srv/work/**\n",
        ),
        replace(
            PATH,
            "    --volume example",
            "    --mount type=bind,source=/srv/cache,target=/cache\n    --volume example",
            "/srv/cache",
        ),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    container:\n      image: silvermetal-job:1\n      volumes: ['/data:/data']\n",
            "/data",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(runner) = Runner::read(tree) else { return };
    let valid: Vec<&str> = runner.valid_volumes().iter().filter_map(|node| node.text()).collect();
    if runner.is_on("bind_workdir") {
        workdir(&runner, &valid, found);
    }
    for (path, mount) in workflow::mounts_of_jobs(tree) {
        if mount.source.is_empty() || mount.source == SOCKET || allows(&valid, &mount) {
            continue;
        }
        let list = if valid.is_empty() { "it is empty".to_owned() } else { valid.join(", ") };
        found.add(
            Location::line(&path, mount.line),
            format!(
                "`{}` matches no pattern in valid_volumes, so the runner drops the mount",
                mount.source
            ),
            format!("a pattern in valid_volumes that matches it ({list})"),
            Fix::with("add - {} below valid_volumes in {}", &[mount.source.as_str(), PATH]),
        );
    }
}

/// With `bind_workdir` the workspace is a mount of the host, too.
fn workdir(runner: &Runner<'_>, valid: &[&str], found: &mut Findings) {
    let node = runner.container("workdir_parent");
    let parent = node.and_then(YamlNode::text).unwrap_or("workspace");
    let source = format!("/{}/1/owner/repository", parent.trim_matches('/'));
    let mount = volume(&format!("{source}:{source}"), 0);
    if !allows(valid, &mount) {
        let at = node.or_else(|| runner.container("bind_workdir")).map_or((0, 0), YamlNode::at);
        found.add(
            Location::at(PATH, at),
            format!("valid_volumes does not allow the workspaces in /{}", parent.trim_matches('/')),
            format!("`/{}/**` in valid_volumes", parent.trim_matches('/')),
            "add it, or correct `workdir_parent`",
        );
    }
}

fn allows(valid: &[&str], mount: &MountOption) -> bool {
    valid.iter().any(|pattern| {
        // a pattern with a slash matches paths, one without matches named volumes
        let for_paths = pattern.contains('/') || pattern.starts_with('.');
        *pattern == "**"
            || (for_paths == mount.bind
                && pattern::matches(pattern, &mount.source, Star::AcrossSlashes))
    })
}
