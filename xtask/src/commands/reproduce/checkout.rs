//! Compares the checkout and its inputs with the release. Each difference comes with the command
//! that removes it.

use super::release::PublishedRelease;
use super::verdict::REPORT_TO;
use crate::build::BuildFacts;
use crate::build::records::known_before;
use crate::engine::EngineKind;
use anyhow::Result;
use xtask_core::escape::Shown as _;
use xtask_core::facts::git::{CheckoutState, git};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Problem;
use xtask_core::pins::ImageRef;

/// Fields that may differ although the images are identical: the engine, the registry of the
/// builder image (its digest is compared), and the mirror.
const COMPARED_OTHERWISE: [&str; 3] = ["Engine", "Builder-Image", "Apt-Pinned"];

/// Problems of the checkout itself.
pub(super) fn problems(
    repo: &Repo,
    release: &PublishedRelease,
    source: &CheckoutState,
) -> Result<Vec<Problem>> {
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
                    "tag {tag} names {here} in this checkout, but the release was built from {commit}"
                ),
                format!(
                    "git fetch --force origin tag {tag}; if it still differs, report it to {}",
                    REPORT_TO
                ),
            ));
        }
    }
    if release.info.get("Tree") != "clean" {
        found.push(Problem::new(
            format!(
                "the release was built from uncommitted changes (Tree: {})",
                release.info.get("Tree").shown()
            ),
            "only the person who built it can rebuild it",
        ));
    }
    Ok(found)
}

/// Compares the other inputs of the build, by the fields of BUILD_INFO.
pub(super) fn other_inputs(release: &PublishedRelease, facts: &BuildFacts) -> Vec<Problem> {
    let mut found = Vec::new();
    let (iso, recipe) = (release.info.get("Iso"), &facts.recipe);
    if iso != recipe.iso {
        found.push(Problem::new(
            format!(
                "Iso: the release has `{}`, recipe {} makes `{}`",
                iso.shown(),
                recipe.name,
                recipe.iso.shown()
            ),
            "BUILD_INFO is not the record of this recipe's image: ask whoever published it",
        ));
    }
    for (field, now) in known_before(facts) {
        let then = release.info.get(field);
        if then != now && !COMPARED_OTHERWISE.contains(&field) {
            found.push(Problem::new(
                format!(
                    "{field}: the release was built with `{}`, this build would use `{}`",
                    then.shown(),
                    now.shown()
                ),
                fix(field),
            ));
        }
    }
    let in_container = release.info.get("Engine") != EngineKind::Host.name();
    if in_container && facts.engine.kind == EngineKind::Host {
        found.push(Problem::new(
            "the release was built in a container, this build would use engine host with this machine's tools",
            "pass --engine docker, podman or private",
        ));
    }
    if release.info.get("Apt-Pinned") == "yes" && !facts.mirror.mirror.pinned() {
        found.push(Problem::new(
            "the release was built from the pinned snapshot, this build would get packages from another mirror",
            "omit --mirror; APT_SNAPSHOT_URL may name another mirror of the snapshot archive",
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
            "compare linux/build/config, and APT_SNAPSHOT_URL and BUILDER_IMAGE in the environment"
        }
    }
}

/// Compares the builder images. The same digest in another registry is the same image.
pub(super) fn image_problem(release: &PublishedRelease, facts: &BuildFacts) -> Option<Problem> {
    let then = release.info.get("Builder-Image");
    if facts.engine.kind == EngineKind::Host || then.is_empty() {
        return None;
    }
    let now = facts.image.record();
    let digest = |record: &str| record.parse::<ImageRef>().ok()?.digest;
    let same = digest(then).map_or(then == now, |digest_then| digest(&now) == Some(digest_then));
    let fix = match digest(then) {
        // the image runs with all privileges: only a person may decide to trust it
        Some(digest) => format!(
            "the commit's pin is in linux/build/scripts/build.sh; if you know the other image and trust \
             it on this machine: --image REGISTRY/silvermetal-builder@{digest}"
        ),
        None => "cargo xtask image build, at the release's commit".to_owned(),
    };
    (!same).then(|| {
        Problem::new(
            format!("builder image: the release was built in {then}, this build would use {now}"),
            fix,
        )
    })
}
