//! The builder image: which one a build uses, and how it is made.

mod bootstrap;
pub(crate) mod build;
pub(crate) mod builder_env;
pub(crate) mod diffoscope;
pub(crate) mod labels;
pub(crate) mod provenance;
pub(crate) mod published;

use crate::engine::private::EngineFolders;
use crate::engine::{Client, EngineKind};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
pub(crate) use xtask_core::facts::builder_inputs::Inputs;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::pins::{ImageRef, build_sh};

/// Where the project's builder images are published.
pub(crate) const REPOSITORY: &str = "docker-registry.silverlabs.uk/silvermetal-builder";

/// The word that names the image built from today's docker/ folder.
pub(crate) const LOCAL: &str = "local";

/// The image that a build runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuilderImage {
    /// Built here from today's docker/ folder; its tag carries the inputs' hash.
    Local(Inputs),
    /// One that the caller or the pin names.
    Named(ImageRef),
    /// One that lies with a build's saved inputs.
    Saved {
        /// What the engine that saved it called it by its content.
        id: String,
        archive: PathBuf,
        /// As it stood in BUILD_INFO.
        record: String,
    },
}

impl BuilderImage {
    /// `--image`, else the environment's BUILDER_IMAGE, else the pin in build.sh, else the local one.
    pub(crate) fn choose(repo: &Repo, flag: Option<&str>) -> Result<BuilderImage> {
        let from_env = std::env::var("BUILDER_IMAGE").ok().filter(|value| !value.is_empty());
        let (asked, whence) = match (flag, &from_env) {
            (Some(flag), _) => (Some(flag), "--image"),
            (None, Some(value)) => (Some(value.as_str()), "BUILDER_IMAGE in the environment"),
            (None, None) => (None, "build.sh"),
        };
        let named = match asked {
            Some(LOCAL | build_sh::UNPUBLISHED) => None,
            Some(reference) => Some(reference.parse().context(whence).or_exit(Code::Usage)?),
            None => build_sh::read(&repo.build_sh())?,
        };
        Ok(match named {
            Some(reference) => BuilderImage::Named(reference),
            None => BuilderImage::Local(Inputs::gather(repo)?),
        })
    }

    /// The name that an engine knows it by.
    pub(crate) fn name(&self, client: &Client) -> String {
        match self {
            BuilderImage::Local(inputs) => client.local_name(&inputs.tag()),
            BuilderImage::Named(reference) => reference.to_string(),
            BuilderImage::Saved { id, .. } => id.clone(),
        }
    }

    /// As it stands in BUILD_INFO: the same on every machine that has the same image.
    pub(crate) fn record(&self) -> String {
        match self {
            BuilderImage::Local(inputs) => format!("local (inputs {})", inputs.digest),
            BuilderImage::Named(reference) if reference.digest.is_none() => {
                format!("{reference} (not pinned)")
            }
            BuilderImage::Named(reference) => reference.to_string(),
            BuilderImage::Saved { record, .. } => record.clone(),
        }
    }
}

/// Whether `client` has the image; the private engine's store is read even while it is stopped.
pub(crate) fn is_present(client: &Client, image: &BuilderImage, places: &EngineFolders) -> bool {
    let name = image.name(client);
    if client.kind == EngineKind::Private && client.version().is_err() {
        return places.has_image(&name);
    }
    client.image_id(&name).is_ok_and(|id| id.is_some())
}

/// What to do about a missing builder image: the two ways on.
pub(crate) fn fix_hint(engine: EngineKind, build_sh: &Path) -> String {
    let flag = if engine == EngineKind::Private { " --engine private" } else { "" };
    format!(
        "build it here: cargo xtask image build{flag} (or pass --setup); \
         or name a published one by digest: --image REGISTRY/silvermetal-builder@sha256:… \
         (the pin in {} says `{}`)",
        build_sh.display(),
        build_sh::UNPUBLISHED
    )
}
