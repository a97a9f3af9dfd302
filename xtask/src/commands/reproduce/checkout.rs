//! Would this checkout build what was released? If not: the very commands that make it so.

use super::release::Release;
use crate::build::Facts;
use crate::build::records::known_before;
use crate::engine::EngineKind;
use anyhow::Result;
use xtask_core::facts::git::{Source, git};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Problem;
use xtask_core::pins::ImageRef;

/// Fields that may differ without the image differing: which engine it is, where the image comes
/// from (its digest is compared), and what a mirror is called.
const COMPARED_OTHERWISE: [&str; 3] = ["Engine", "Builder-Image", "Apt-Pinned"];

/// What git says.
pub(super) fn problems(repo: &Repo, release: &Release, source: &Source) -> Result<Vec<Problem>> {
    let mut found = Vec::new();
    let commit = &release.commit;
    if source.dirty {
        found.push(Problem::new(
            "this checkout has uncommitted changes",
            "git stash --include-untracked",
        ));
    }
    if source.commit != *commit {
        let there =
            git(&repo.root).args(["cat-file", "-e"]).arg(format!("{commit}^{{commit}}")).succeeds();
        let fetch = if there { "" } else { "git fetch --tags origin && " };
        let submodule = if release.info.get("Derivative-Maker").is_empty() {
            ""
        } else {
            " && git submodule update --init --recursive linux/build/derivative-maker"
        };
        found.push(Problem::new(
            format!("this checkout is at {}, the release was built from {commit}", source.commit),
            format!("{fetch}git checkout --detach {commit}{submodule}"),
        ));
    }
    if let Some(tag) = &release.tag {
        let name = format!("refs/tags/{tag}^{{commit}}");
        let here = git(&repo.root).args(["rev-parse", "--verify", "--quiet"]).arg(name).output()?;
        let here = here.stdout.trim();
        if !here.is_empty() && here != commit.to_string() {
            found.push(Problem::new(
                format!(
                    "tag {tag} names {here} here, the release says that it was built from {commit}"
                ),
                format!(
                    "git fetch --force origin tag {tag}; if it still does, tell {}",
                    super::REPORT_TO
                ),
            ));
        }
    }
    if release.info.get("Tree") != "clean" {
        found.push(Problem::new(
            format!(
                "the release was built from uncommitted changes (Tree: {})",
                release.info.get("Tree")
            ),
            "nobody but its maker can rebuild it",
        ));
    }
    Ok(found)
}

/// What else would go into the build, field by field as BUILD_INFO names it.
pub(super) fn other_inputs(release: &Release, facts: &Facts) -> Vec<Problem> {
    let mut found = Vec::new();
    for (field, now) in known_before(facts) {
        let then = release.info.get(field);
        if then != now && !COMPARED_OTHERWISE.contains(&field) {
            found.push(Problem::new(
                format!("{field}: the release was built with `{then}`, here it would be `{now}`"),
                fix(field),
            ));
        }
    }
    found.extend(image_problem(release, facts));
    let in_container = release.info.get("Engine") != EngineKind::Host.name();
    if in_container && facts.engine.kind == EngineKind::Host {
        found.push(Problem::new(
            "the release was built in a container, here it would be on engine host, with this machine's tools",
            "pass --engine docker, podman or private",
        ));
    }
    if release.info.get("Apt-Pinned") == "yes" && !facts.mirror.mirror.pinned() {
        found.push(Problem::new(
            "the release was built from the pinned snapshot, here packages would come from elsewhere",
            "leave --mirror away; APT_SNAPSHOT_URL may name another mirror of the snapshot archive",
        ));
    }
    found
}

fn fix(field: &str) -> &'static str {
    match field {
        "Derivative-Maker" => {
            "git submodule update --init --recursive linux/build/derivative-maker"
        }
        _ => {
            "look at linux/build/config, and at APT_SNAPSHOT_URL and BUILDER_IMAGE in the environment"
        }
    }
}

/// Two registries may hold one image: its digest says so.
fn image_problem(release: &Release, facts: &Facts) -> Option<Problem> {
    let then = release.info.get("Builder-Image");
    if facts.engine.client.is_none() || then.is_empty() {
        return None;
    }
    let now = facts.image.record();
    let digest = |record: &str| record.parse::<ImageRef>().ok()?.digest;
    let same = digest(then).map_or(then == now, |digest_then| digest(&now) == Some(digest_then));
    let fix = match digest(then) {
        // not of itself: the image runs with all privileges
        Some(digest) => format!(
            "the commit's pin is in linux/build/scripts/build.sh; if you know the other image and trust \
             it on this machine: --image REGISTRY/silvermetal-builder@{digest}"
        ),
        None => "cargo xtask image build, at the release's commit".to_owned(),
    };
    (!same).then(|| {
        Problem::new(
            format!("builder image: the release was built in {then}, here it would be {now}"),
            fix,
        )
    })
}
