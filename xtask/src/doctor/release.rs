//! What a release of this commit would stumble over.

use super::report::Report;
use crate::iso::Facts;
use base::facts::git::git;
use base::failure::Problem;

const RULE: &str = "release-tag";

pub(super) fn look(facts: &Facts, report: &mut Report) {
    let root = &facts.repo.root;
    let expected = concat!("v", env!("CARGO_PKG_VERSION"));
    let in_ci = std::env::var("GITHUB_REF_TYPE").is_ok_and(|kind| kind == "tag");
    let job = std::env::var("GITHUB_REF_NAME").ok().filter(|_| in_ci);
    let here = git(root).args(["tag", "--points-at", "HEAD", "v*"]).read().unwrap_or_default();
    let Some(tag) = job.clone().or_else(|| here.lines().next().map(str::to_owned)) else {
        report.not_looked(RULE, "HEAD carries no release tag");
        return;
    };
    let mut broken = |what: String, fix: String| report.broken(Problem::new(what, fix).of(RULE));
    if job.is_some() && !here.lines().any(|name| name == tag) {
        broken(
            format!("tag {tag} does not name HEAD ({})", facts.source.short),
            format!("git checkout {tag}"),
        );
    }
    if tag != expected {
        broken(
            format!("tag {tag} is not the version in Cargo.toml: expected {expected}"),
            "set workspace.package.version, commit, and tag that commit".to_owned(),
        );
    }
    if facts.source.dirty {
        broken(
            "the tree has changes that the tag does not know".to_owned(),
            "git status".to_owned(),
        );
    }
    if !report.is_broken(RULE) {
        report.holds(RULE, format!("{tag} names HEAD"));
    }
}
