//! The registry's login is mounted as one file, read-only.

use crate::finding::{Location, Severity};
use crate::model::container::{ContainerRun, MountOption, mounts};
use crate::model::runner::{PATH, Runner};
use crate::model::{script, workflow};
use crate::parse::pattern::{self, Star};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const FOLDER: &str = "/root/.docker";
const FILE: &str = "/root/.docker/config.json";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "docker-config",
        what: "jobs get /root/.docker/config.json read-only; nothing mounts the folder /root/.docker, and valid_volumes does not allow it",
        why: "docker writes into that folder (buildx/activity): every build fails if it is mounted read-only, and a job can change the host's login if it is writable",
        source: "incident 1 in docs/ci-runner.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            PATH,
            "config.json:/root/.docker/config.json:ro\n",
            "config.json:/root/.docker/config.json\n",
            "config.json",
        ),
        replace(
            PATH,
            "    --volume /root/.docker/config.json:/root/.docker/config.json:ro\n",
            "    --volume /root/.docker/config.json:/root/.docker/config.json:ro --volume example-cache:/root/.docker\n",
            "--volume /root/.docker",
        ),
        replace(
            PATH,
            "    --volume /root/.docker/config.json:/root/.docker/config.json:ro\n",
            "",
            "options:",
        ),
        replace(
            PATH,
            "    - /root/.docker/config.json\n",
            "    - /root/.docker/config.json\n    - /root/.docker\n",
            "- /root/.docker",
        ),
        replace(
            PATH,
            "    - /root/.docker/config.json\n",
            "    - /root/.docker/config.json\n    - '/root/*'\n",
            "/root/*",
        ),
        replace(
            PATH,
            "    - /root/.docker/config.json\n",
            "    - /root/.docker/config.json\n    - /root\n",
            "- /root",
        ),
    ],
};

const FIX: &str = "--volume /root/.docker/config.json:/root/.docker/config.json:ro";

fn check(tree: &SourceTree, found: &mut Findings) {
    if let Some(runner) = Runner::read(tree) {
        let mounts = runner.mounts();
        if !mounts.iter().any(|mount| {
            mount.source == FILE || is_folder(&mount.source) || is_folder(&mount.target)
        }) {
            let entry =
                runner.root.get("container").and_then(|container| container.entry("options"));
            let place = entry.map_or(Location::file(PATH), |(key, _)| Location::at(PATH, key.at()));
            let what = format!("{FILE} is not mounted: jobs cannot log in to the registry");
            found.add(place, what, FIX, "add it to `container: options:`");
        }
        for node in runner.valid_volumes() {
            let text = node.text().unwrap_or_default();
            let lets = pattern::matches(text, FOLDER, Star::AcrossSlashes) || is_folder(text);
            if lets && text != FILE {
                let what = format!("`{text}` allows jobs to mount the folder {FOLDER}");
                found.add(Location::at(PATH, node.at()), what, FILE, "list only the file");
            }
        }
    }
    for (path, mount) in workflow::mounts_of_jobs(tree) {
        one(&path, &mount, found);
    }
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            for command in job.steps().iter().flat_map(|step| step.commands()) {
                let run = ContainerRun::of(&command);
                run.iter()
                    .flat_map(|run| mounts(&run.options))
                    .for_each(|mount| one(workflow.path(), &mount, found));
            }
        }
    }
    for source in script::scripts(tree) {
        for run in source.commands().iter().filter_map(ContainerRun::of) {
            mounts(&run.options).iter().for_each(|mount| one(&source.path, mount, found));
        }
    }
}

fn is_folder(path: &str) -> bool {
    let path = path.trim_end_matches(['/', '*']);
    // /root contains it
    path == FOLDER || path == "/root" || path.ends_with("/.docker") || path == "~"
}

fn one(path: &str, mount: &MountOption, found: &mut Findings) {
    let place = Location::line(path, mount.line);
    if is_folder(&mount.source) || is_folder(&mount.target) {
        let what = format!(
            "`{}` is mounted at `{}`, but docker writes into this folder",
            mount.source, mount.target
        );
        found.add(place, what, FIX, "mount only config.json");
    } else if mount.source == FILE && !mount.read_only {
        found.add(place, format!("{FILE} is mounted writable"), FIX, "add `:ro`");
    }
}
