//! A verified build that may become a release, and the problems that forbid it.

use super::gitea::MIB;
use super::package::Package;
use super::tag::TEST_PREFIX;
use crate::engine::EngineKind;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::git::{CheckoutState, git};
use xtask_core::facts::repo::Repo;
use xtask_core::facts::snapshot::SnapshotPin;
use xtask_core::failure::Problem;
use xtask_core::hash;
use xtask_core::pins::{Commit, Digest, ImageRef, conf};
use xtask_core::recipe::Recipe;
use xtask_core::record_file;
use xtask_core::records::published::Published;
use xtask_core::records::sums::in_sums;

/// Facts about the build and the checkout. None of them is checked yet.
pub(super) struct Candidate {
    pub(super) tag: String,
    /// A test release: any recipe, engine, image and mirror is allowed, and the tag marks it.
    pub(super) test: bool,
    pub(super) version: String,
    pub(super) source: CheckoutState,
    /// The commit that the tag names. `None` if there is no such tag.
    pub(super) tagged: Option<Commit>,
    /// Snapshot stamp of the checkout's pin.
    pub(super) snapshot: String,
    /// Flavor of the product in silvermetal-base.conf.
    pub(super) flavor: String,
    /// Result folder of the verify.
    pub(super) from: PathBuf,
    pub(super) report: Result<VerifyReport>,
    pub(super) build: Result<ReleaseBuild>,
    /// Largest file that the server accepts, in MiB.
    pub(super) max_mib: u64,
}

/// Fields of verify.json.
pub(super) struct VerifyReport {
    pub(super) verdict: String,
    pub(super) commit: String,
    pub(super) recipe: String,
    pub(super) sha256: String,
}

/// Build A of the verify.
pub(super) struct ReleaseBuild {
    pub(super) records: Published,
    /// `released` of the recipe. `None` if there is no such recipe.
    pub(super) released: Option<bool>,
    pub(super) needs_submodule: bool,
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) size: u64,
    /// Hash of the image in SHA256SUMS.
    pub(super) in_sums: Option<Digest>,
    /// Hash of the image in build B's BUILD_INFO, if build B was kept.
    pub(super) second: Option<String>,
}

impl Candidate {
    pub(super) fn gather(
        repo: &Repo,
        tag: String,
        from: &Path,
        test: bool,
        max_mib: u64,
    ) -> Result<Candidate> {
        let named = git(&repo.root)
            .args(["rev-parse", "--verify", "--quiet"])
            .arg(format!("refs/tags/{tag}^{{commit}}"))
            .output()?;
        let tagged = if named.exit.ok() { Some(named.stdout.trim().parse()?) } else { None };
        Ok(Candidate {
            tag,
            test,
            version: Package::read(repo)?.version,
            source: CheckoutState::gather(repo)?,
            tagged,
            snapshot: SnapshotPin::read(repo)?.stamp.to_string(),
            flavor: conf::flavor(&repo.config().join("silvermetal-base.conf"))?,
            report: VerifyReport::read(&from.join("verify.json")),
            build: ReleaseBuild::read(repo, from),
            from: from.to_owned(),
            max_mib,
        })
    }

    /// All reasons against the release. Fewer apply to a test release.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut found = self.of_the_checkout();
        match (&self.report, &self.build) {
            (Ok(report), Ok(build)) => {
                found.extend(self.of_the_report(report, build));
                found.extend(self.of_the_build(build));
            }
            (report, build) => {
                let errors = [report.as_ref().err(), build.as_ref().err()];
                found.extend(errors.into_iter().flatten().map(|error| {
                    Problem::new(
                        format!("{error:#}"),
                        format!("{}, or name its folder: --from DIR", self.verify()),
                    )
                }));
            }
        }
        found
    }

    fn verify(&self) -> String {
        format!("cargo xtask verify --output {}", quoted(&self.from))
    }

    fn of_the_checkout(&self) -> Vec<Problem> {
        let Candidate { tag, source, .. } = self;
        let mut found = Vec::new();
        if source.dirty {
            found.push(Problem::new(
                "the tree has uncommitted changes (git status)",
                "commit or stash them, and verify again: git stash --include-untracked",
            ));
        }
        let expected = format!("v{}", self.version);
        if self.test && !tag.starts_with(TEST_PREFIX) {
            found.push(Problem::new(
                format!("the tag of a test release begins with `{TEST_PREFIX}`, found `{tag}`"),
                format!("cargo xtask release build {TEST_PREFIX}{} --test", source.short),
            ));
        } else if !self.test && *tag != expected {
            found.push(Problem::new(
                format!(
                    "tag {tag} does not match version {} in Cargo.toml: expected {expected}",
                    self.version
                ),
                if tag.starts_with(TEST_PREFIX) {
                    format!("cargo xtask release build {tag} --test")
                } else {
                    format!("set `version` in Cargo.toml, or tag {expected}")
                },
            ));
        }
        match &self.tagged {
            None => found.push(Problem::new(
                format!("there is no tag {tag}"),
                format!(
                    "git tag --annotate {tag} --message {tag} {}, or git fetch --tags",
                    source.commit
                ),
            )),
            Some(tagged) if *tagged != source.commit => found.push(Problem::new(
                format!("tag {tag} is not HEAD: it names {tagged}, HEAD is {}", source.commit),
                format!("git checkout --detach {tag}, and verify that commit"),
            )),
            Some(_) => {}
        }
        found
    }

    fn of_the_report(&self, report: &VerifyReport, build: &ReleaseBuild) -> Vec<Problem> {
        let mut found = Vec::new();
        let path = self.from.join("verify.json");
        let mut expect = |what: &str, expected: &str, is: &str| {
            if expected != is {
                found.push(Problem::new(
                    format!("{}: {what}: expected {expected}, found {is}", path.shown()),
                    self.verify(),
                ));
            }
        };
        expect("the verdict", "identical", &report.verdict);
        expect("commit", &self.source.commit.to_string(), &report.commit);
        expect("recipe", build.records.info.get("Recipe"), &report.recipe);
        expect("hash of the image", build.digest.hex(), &report.sha256);
        if let Some(second) = &build.second {
            expect("hash of the image in build B's BUILD_INFO", build.digest.hex(), second);
        }
        found
    }

    fn of_the_build(&self, build: &ReleaseBuild) -> Vec<Problem> {
        let info = |field: &str| build.records.info.get(field);
        let dir = build.records.dir.shown();
        let mut found = Vec::new();
        let mut expect = |field: &str, expected: &str| {
            if info(field) != expected {
                found.push(Problem::new(
                    format!(
                        "{dir}/BUILD_INFO: {field}: expected `{expected}`, found `{}`",
                        info(field).shown()
                    ),
                    self.verify(),
                ));
            }
        };
        expect("Commit", &self.source.commit.to_string());
        expect("Tree", "clean");
        expect("Version", &self.version);
        expect("Snapshot", &self.snapshot);
        expect("Iso-Sha256", build.digest.hex());
        expect("Iso-Size", &build.size.to_string());
        if build.needs_submodule {
            // the field has another value for an upstream that is not the pinned one, or has changes
            let pin = self.source.submodule.as_ref().map(Commit::to_string).unwrap_or_default();
            expect("Derivative-Maker", &pin);
            expect("Flavor", &self.flavor);
            expect("Shortcuts", "");
        }
        if !self.test {
            expect("Source-Date-Epoch-From", "commit");
        }
        if build.in_sums.as_ref() != Some(&build.digest) {
            found.push(Problem::new(
                format!("{dir}/SHA256SUMS: expected `{}  {}`", build.digest.hex(), info("Iso")),
                self.verify(),
            ));
        }
        if !self.test {
            found.extend(self.unreleasable(build));
        }
        if build.size > self.max_mib * MIB {
            found.push(Problem::new(
                format!(
                    "{} has {} MiB: the server accepts at most {} MiB per file",
                    info("Iso"), build.size.div_ceil(MIB), self.max_mib
                ),
                "raise FILE_MAX_SIZE under [repository.release] in Gitea's app.ini, and pass --max-size MIB",
            ));
        }
        found
    }

    /// Problems that are allowed in a test release.
    fn unreleasable(&self, build: &ReleaseBuild) -> Vec<Problem> {
        let info = |field: &str| build.records.info.get(field);
        let mut found = Vec::new();
        let or_test = format!(
            "or try the pipeline with a test release: release build {TEST_PREFIX}NAME --test"
        );
        if build.released != Some(true) {
            found.push(Problem::new(
                format!("recipe {} is never released", info("Recipe")),
                format!("verify the product: cargo xtask verify; {or_test}"),
            ));
        }
        if info("Engine") == EngineKind::Host.name() {
            found.push(Problem::new(
                "built on engine host, whose images are never released: no builder image pins its tools",
                format!("build in a container: cargo xtask verify --engine docker; {or_test}"),
            ));
        }
        if info("Apt-Pinned") != "yes" {
            found.push(Problem::new(
                "packages did not come from the pinned snapshot (Apt-Pinned: no)",
                format!(
                    "verify without --mirror, on a machine that reaches the snapshot; {or_test}"
                ),
            ));
        }
        if info("Engine") != EngineKind::Host.name()
            && !info("Builder-Image").parse::<ImageRef>().is_ok_and(|image| image.digest.is_some())
        {
            found.push(Problem::new(
                format!("the builder image is not pinned by digest: `{}`", info("Builder-Image").shown()),
                format!("cargo xtask image push, then verify with --image REGISTRY/silvermetal-builder@sha256:…; {or_test}"),
            ));
        }
        found
    }
}

impl VerifyReport {
    fn read(path: &Path) -> Result<VerifyReport> {
        let text = record_file::text(path).context("no verify report")?;
        let json: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a verify report", path.shown()))?;
        let field = |name: &str| json[name].as_str().unwrap_or("no value").to_owned();
        Ok(VerifyReport {
            verdict: field("verdict"),
            commit: field("commit"),
            recipe: field("recipe"),
            sha256: field("sha256"),
        })
    }
}

impl ReleaseBuild {
    fn read(repo: &Repo, from: &Path) -> Result<ReleaseBuild> {
        let records = Published::read(&from.join("build-a"))?;
        let recipe = Recipe::load(repo, records.info.get("Recipe")).ok();
        let (digest, size) = hash::file(&records.iso())?;
        let sums = record_file::read(&records.dir.join("SHA256SUMS"))?;
        let second = record_file::if_there(&from.join("build-b"), Published::read)?;
        Ok(ReleaseBuild {
            released: recipe.as_ref().map(|recipe| recipe.released),
            needs_submodule: recipe.is_some_and(|recipe| recipe.needs.submodule),
            in_sums: in_sums(&sums, records.info.get("Iso")).ok(),
            second: second.map(|second| second.info.get("Iso-Sha256").to_owned()),
            records,
            digest,
            size,
        })
    }
}
