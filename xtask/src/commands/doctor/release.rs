//! Problems that a release of this commit would meet.

use super::report::DoctorReport;
use crate::build::BuildFacts;
use crate::commands::release::{MAX_MIB, Package, may_write};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::git::git;
use xtask_core::failure::Problem;
use xtask_core::secret::{RELEASE_TOKEN, Secret};
use xtask_core::ui::Ui;

pub(super) fn look(facts: &BuildFacts, ui: &Ui, report: &mut DoctorReport) {
    match Package::read(&facts.repo) {
        Ok(package) => {
            tag(facts, &package, report);
            token(&package, ui, report);
        }
        Err(error) => {
            let fix = "set version and repository in [workspace.package]";
            report.broken(Problem::new(format!("{error:#}"), fix).of("release-tag"));
        }
    }
    size(facts, report);
}

fn tag(facts: &BuildFacts, package: &Package, report: &mut DoctorReport) {
    let rule = "release-tag";
    let in_ci = std::env::var("GITHUB_REF_TYPE").is_ok_and(|kind| kind == "tag");
    let job = std::env::var("GITHUB_REF_NAME").ok().filter(|_| in_ci);
    let here = git(&facts.repo.root).args(["tag", "--points-at", "HEAD", "v*"]).read();
    let here = here.unwrap_or_default();
    let Some(tag) = job.clone().or_else(|| here.lines().next().map(str::to_owned)) else {
        report.skipped(rule, "HEAD carries no release tag");
        return;
    };
    let mut broken = |what: String, fix: String| report.broken(Problem::new(what, fix).of(rule));
    if job.is_some() && !here.lines().any(|name| name == tag) {
        let what = format!("tag {tag} does not name HEAD ({})", facts.source.short);
        broken(what, format!("git fetch --tags && git checkout {}", quoted(&tag)));
    }
    if tag != package.tag() {
        broken(
            format!("tag {tag} is not the version in Cargo.toml: expected {}", package.tag()),
            "set workspace.package.version, commit, and tag that commit".to_owned(),
        );
    }
    if facts.source.dirty {
        broken(
            "the tree has uncommitted changes, which the tag does not contain".to_owned(),
            "git status".to_owned(),
        );
    }
    if !report.is_broken(rule) {
        report.holds(rule, format!("{tag} names HEAD"));
    }
}

fn size(facts: &BuildFacts, report: &mut DoctorReport) {
    let rule = "release-size";
    let iso = facts.output.join(&facts.recipe.iso);
    let Ok(meta) = iso.metadata() else {
        report.skipped(rule, format!("{} is not built yet", iso.shown()));
        return;
    };
    let mib = meta.len().div_ceil(1 << 20);
    if mib <= MAX_MIB {
        report.holds(rule, format!("{mib} MiB, of the {MAX_MIB} that Gitea accepts by default"));
        return;
    }
    let what = format!("{} has {mib} MiB: Gitea accepts {MAX_MIB} by default", iso.shown());
    let fix = "raise FILE_MAX_SIZE under [repository.release] in Gitea's app.ini, and pass --max-size MIB to release";
    report.doubtful(Problem::new(what, fix).of(rule));
}

fn token(package: &Package, ui: &Ui, report: &mut DoctorReport) {
    let rule = "release-token";
    let value = std::env::var(RELEASE_TOKEN).unwrap_or_default();
    if value.is_empty() {
        report.skipped(rule, format!("{RELEASE_TOKEN} is not set"));
        return;
    }
    let read = Secret::new(&value, RELEASE_TOKEN)
        .and_then(|token| may_write(&package.repository, &token, ui));
    match read {
        Ok(()) => report.holds(rule, format!("it can read {}, and its owner may write there", package.repository)),
        Err(error) => report.broken(
            Problem::new(
                format!("{error:#}").lines().next().unwrap_or_default(),
                format!("create a token that may write the repository (Gitea, Settings, Applications), and set {RELEASE_TOKEN}"),
            )
            .of(rule),
        ),
    }
}
