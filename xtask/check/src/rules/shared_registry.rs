//! Jobs do not share cargo's downloads without its lock.

use crate::finding::{Location, Severity};
use crate::model::runner::PATH;
use crate::model::workflow;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use std::path::Path;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "shared-registry",
        what: "no job mounts a volume at a folder inside cargo's home, such as /usr/local/cargo/registry",
        why: "cargo's lock lies in the home itself: two jobs that unpack one crate at once fail with `File exists (os error 17)`",
        source: "two runs at once on Gitea 1.27; cargo's .package-cache",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PATH, ":/var/cache/example", ":/usr/local/cargo/registry", "cargo/registry"),
        replace(PATH, ":/var/cache/example", ":/root/.cargo/registry/src/:rw", "cargo/registry"),
        replace(
            WORKFLOW,
            "    timeout-minutes: 15\n",
            "    timeout-minutes: 15\n    container:\n      image: silvermetal-job:1\n      volumes: ['example-cache:/usr/local/cargo/git']\n",
            "cargo/git",
        ),
        // the lock is in it
        legal(PATH, ":/var/cache/example", ":/usr/local/cargo"),
        legal(PATH, ":/var/cache/example", ":/srv/registry"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for (path, mount) in workflow::mounts_of_jobs(tree) {
        if mount.read_only || !is_inside_of_home(&mount.target) {
            continue;
        }
        found.add(
            Location::line(&path, mount.line),
            format!("jobs share `{}`, without the lock of cargo's home", mount.target),
            "no mount there: each job fetches its own crates, in seconds",
            "remove the mount, here and from valid_volumes",
        );
    }
}

/// Returns true for what cargo writes to below its home: `registry` and `git`, and all folders in them.
fn is_inside_of_home(target: &str) -> bool {
    let names: Vec<_> = Path::new(target).iter().filter_map(|name| name.to_str()).collect();
    names
        .windows(2)
        .any(|pair| matches!(pair[0], "cargo" | ".cargo") && matches!(pair[1], "registry" | "git"))
}
