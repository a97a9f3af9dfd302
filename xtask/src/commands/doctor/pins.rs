//! The pins: registries still serve the images, and the remote of derivative-maker the commit.

use super::report::DoctorReport;
use crate::build::BuildFacts;
use crate::builder_image::kept::KeptImage;
use crate::builder_image::provenance::Provenance;
use crate::builder_image::rebuilt::Rebuilt;
use crate::builder_image::{BuilderImage, Inputs};
use crate::registry::{Refusal, Registry};
use anyhow::Result;
use xtask_core::exec::quoted;
use xtask_core::facts::git::{SUBMODULE, git};
use xtask_core::facts::submodule;
use xtask_core::failure::Problem;
use xtask_core::pins::ImageRef;
use xtask_core::ui::Ui;

pub(super) fn look(facts: &BuildFacts, ui: &Ui) -> DoctorReport {
    let mut report = DoctorReport::default();
    if let BuilderImage::Named(image) = &facts.image {
        // even if this machine has the image, the next one needs the registry
        served(image, facts.image_present, ui, &mut report);
        rebuilt(facts, image, &mut report);
    } else {
        report.skipped("image-rebuilt", "no builder image is pinned");
    }
    match Inputs::gather(&facts.repo).and_then(|inputs| inputs.base.parse::<ImageRef>()) {
        // only a machine that cannot bootstrap a base needs it
        Ok(base) => served(&base, true, ui, &mut report),
        Err(error) => report
            .broken(Problem::new(format!("{error:#}"), "cargo xtask check").of("image-served")),
    }
    if !report.knows("registry-login") {
        report.skipped("registry-login", "no registry of a pinned image was reached");
    }
    upstream(facts, &mut report);
    report
}

/// Compares the pinned image with the one that was built here, as `image show` does.
fn rebuilt(facts: &BuildFacts, image: &ImageRef, report: &mut DoctorReport) {
    let rule = "image-rebuilt";
    let pin = image.digest.as_ref().map(ToString::to_string);
    let compared = Inputs::gather(&facts.repo).and_then(|today| {
        let record =
            Provenance::read(&facts.repo.builder_image(), pin.as_deref().unwrap_or_default())?;
        let kept = KeptImage::find(&facts.repo, &today);
        let record = record.unwrap_or_default();
        let rebuilt = Rebuilt::of(kept.as_ref(), pin.as_deref(), &record, &today);
        Ok((rebuilt, rebuilt.text(kept.as_ref())))
    });
    match compared {
        Ok((Rebuilt::Equal, text)) => report.holds(rule, text),
        Ok((Rebuilt::Differs, text)) => report.broken(
            Problem::new(text, "cargo xtask image build --verify; if that says identical, report it to security@silverlabs.uk")
                .of(rule),
        ),
        Ok((_, text)) => report.skipped(rule, text),
        Err(error) => report
            .broken(Problem::new(format!("{error:#}"), "cargo xtask check").of(rule)),
    }
}

/// Asks the registry of `image`. With `spare`, a build works without the registry.
fn served(image: &ImageRef, spare: bool, ui: &Ui, report: &mut DoctorReport) {
    let Some(digest) = &image.digest else {
        report.doubtful(
            Problem::new(format!("{image} is not pinned by its digest"), "cargo xtask bump-image")
                .of("image-served"),
        );
        return;
    };
    let answer = match Registry::open(image, ui) {
        Ok(registry) => registry.impatient().manifest(&digest.to_string()),
        Err(error) => Err(Refusal::Silent(error)),
    };
    match answer {
        Ok(_) => {
            report.holds("image-served", image.to_string());
            report.holds("registry-login", format!("{} can be read", image.repository));
        }
        Err(Refusal::Gone(what)) => report.broken(
            Problem::new(what, "push it again from its commit, or push and pin another one: cargo xtask image push && cargo xtask bump-image")
                .of("image-served"),
        ),
        Err(Refusal::Login(what)) => {
            let host = image.repository.split('/').next().unwrap_or_default();
            report.broken(Problem::new(what, format!("docker login {}", quoted(host))).of("registry-login"));
        }
        Err(Refusal::Silent(error)) => {
            let problem = Problem::new(format!("{image}: {error:#}"), "check the network, proxy and certificates")
                .of("image-served");
            if spare { report.doubtful(problem) } else { report.broken(problem) }
        }
    }
}

fn upstream(facts: &BuildFacts, report: &mut DoctorReport) {
    let rule = "upstream-reachable";
    if !facts.recipe.needs.submodule {
        report.skipped(
            rule,
            format!("recipe {} does not build from derivative-maker", facts.recipe.name),
        );
        return;
    }
    let Some(commit) = facts.source.submodule.as_ref().map(ToString::to_string) else {
        report.broken(
            Problem::new(
                format!("the tree records no commit for {SUBMODULE}"),
                format!("git submodule add URL {SUBMODULE}"),
            )
            .of(rule),
        );
        return;
    };
    match on_remote(facts, &commit) {
        Ok(url) => report.holds(rule, format!("{commit} on {url}")),
        Err(error) => report.broken(
            Problem::new(
                format!("{commit}: {error:#}"),
                "check the network; or pin a commit that is there: cargo xtask bump-submodule",
            )
            .of(rule),
        ),
    }
}

/// Returns the URL of the remote if it has the commit, either as a ref or by its id.
fn on_remote(facts: &BuildFacts, commit: &str) -> Result<String> {
    let root = &facts.repo.root;
    let url = submodule::url(root)?;
    let refs = git(root)
        .args(["ls-remote", &url])
        .env("GIT_TERMINAL_PROMPT", "0")
        .within_seconds(25)
        .read()?;
    if refs.lines().any(|line| line.starts_with(commit)) {
        return Ok(url);
    }
    let scratch = facts.repo.state().join(format!("upstream-{}.git", std::process::id()));
    let fetched =
        git(root).args(["init", "--quiet", "--bare"]).arg(&scratch).read().and_then(|_| {
            let fetch = ["fetch", "--quiet", "--depth", "1", "--filter=tree:0", &url, commit];
            git(&scratch).args(fetch).env("GIT_TERMINAL_PROMPT", "0").within_seconds(25).read()
        });
    drop(std::fs::remove_dir_all(&scratch));
    fetched.map(|_| url)
}
