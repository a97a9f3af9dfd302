//! Facts of a rehearsal, before anything is built.

use super::args::RehearsalArgs;
use super::copy::CandidateCopy;
use super::last_image::LastImage;
use crate::build::{self, BuildFacts, BuildRequest, RecipeArgs, Shortcuts};
use crate::commands::bump::upstream::UpstreamCopy;
use crate::engine::BuildArgs;
use anyhow::{Context as _, Result};
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::facts::git::CheckoutState;
use xtask_core::facts::repo::Repo;
use xtask_core::facts::upstream::{Upstream, UpstreamOrigin};
use xtask_core::failure::{Code, OrExit as _, Problem};
use xtask_core::pins::Commit;
use xtask_core::recipe;

/// Recipe that shows if machine, engine, image and pins work.
const CANARY: &str = "canary";

/// Everything that a rehearsal depends on.
pub(super) struct RehearsalFacts {
    pub(super) canary: BuildFacts,
    /// The product, built from the candidate.
    pub(super) product: BuildFacts,
    pub(super) copy: CandidateCopy,
    pub(super) last: LastImage,
}

impl RehearsalFacts {
    /// Gathers the facts of both builds. The copy is planned, and not made.
    ///
    /// # Errors
    /// Arguments that are wrong (exit code 2); facts that cannot be read.
    pub(super) fn gather(
        repo: &Repo,
        args: &RehearsalArgs,
        build: &BuildArgs,
        upstream: &UpstreamCopy,
        commit: &str,
    ) -> Result<RehearsalFacts> {
        let output = match &args.output {
            Some(dir) => std::path::absolute(dir).context("--output").or_exit(Code::Usage)?,
            None => repo.output().join(format!("candidate-{}", &commit[..7])),
        };
        let copy = CandidateCopy::plan(repo, upstream, commit, &output)?;
        let pin = CheckoutState::gather(repo)?.submodule;
        let commit: Commit = commit.parse()?;
        let candidate = Upstream::planned(upstream.dir(), &copy.dir, &commit, pin)?;
        let recipe = |recipe: &str, flavor: &Option<String>, build: BuildArgs| RecipeArgs {
            recipe: recipe.to_owned(),
            build,
            image: args.image.clone(),
            flavor: flavor.clone(),
            upstream: None,
            from_inputs: None,
            shortcuts: Shortcuts::default(),
        };
        let product = BuildFacts::gather(
            repo,
            &BuildRequest {
                what: recipe(recipe::DEFAULT, &args.flavor, build.clone()),
                output: Some(output),
                save_inputs: None,
                candidate: Some(candidate),
            },
        )?;
        // the canary says something about the engine that the product gets
        let engine = product.engine.kind.into();
        let canary = BuildFacts::gather(
            repo,
            &BuildRequest {
                what: recipe(CANARY, &None, BuildArgs { engine, ..build.clone() }),
                output: None,
                save_inputs: None,
                candidate: None,
            },
        )?;
        let last = LastImage::find(repo, &product, args.against.as_deref())?;
        Ok(RehearsalFacts { canary, product, copy, last })
    }

    /// The problems of both builds, each once.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for facts in [&self.canary, &self.product] {
            for problem in build::problems(facts, facts.request.what.build.setup) {
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
        }
        let (canary, product) = (&self.canary.output, &self.product.output);
        if canary.starts_with(product) || product.starts_with(canary) {
            let what =
                format!("{} and {} would replace each other", canary.shown(), product.shown());
            found.push(Problem::new(what, "pass --output another folder"));
        }
        let replaced = |path: &Path| [canary, product].into_iter().any(|dir| path.starts_with(dir));
        if let Some(last) = self.last.path().filter(|path| replaced(path)) {
            let what =
                format!("{} is in the folder that a build of the rehearsal replaces", last.shown());
            found.push(Problem::new(
                what,
                "pass --output another folder, or --against another image",
            ));
        }
        found
    }

    /// The facts of the product with the copy in `dir`, which is made now.
    ///
    /// # Errors
    /// git fails.
    pub(super) fn product_from(&self, dir: &Path) -> Result<BuildFacts> {
        let planned = self.product.upstream.as_ref().and_then(|upstream| upstream.pin.clone());
        let candidate = Upstream::gather(dir, UpstreamOrigin::Candidate, planned)?;
        let mut facts = self.product.clone();
        facts.request.candidate = Some(candidate);
        facts.again(facts.engine.kind)
    }
}
