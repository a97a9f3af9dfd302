//! The builder image: chooses the one that a build uses, and builds it.

mod archive;
mod bootstrap;
pub(crate) mod build;
pub(crate) mod builder_env;
pub(crate) mod conditions;
pub(crate) mod diffoscope;
pub(crate) mod disk;
pub(crate) mod kept;
pub(crate) mod labels;
mod normalise;
pub(crate) mod provenance;
pub(crate) mod published;
pub(crate) mod rebuilt;
pub(crate) mod twice;
mod work;

use crate::engine::private::EngineFolders;
use crate::engine::{Client, EngineKind};
use anyhow::{Context as _, Result};
pub(crate) use archive::ArchivedImage;
use kept::KeptImage;
pub(crate) use normalise::MANIFEST_TYPE;
use normalise::{LatestTime, normalise};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
pub(crate) use xtask_core::facts::builder_inputs::Inputs;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::pins::{Digest, ImageRef, build_sh};
use xtask_core::{hash, interrupt};

/// Repository of the project's published builder images.
pub(crate) const REPOSITORY: &str = "docker-registry.silverlabs.uk/silvermetal-builder";

/// Value of `--image` for the image built from this checkout's docker/ folder.
pub(crate) const LOCAL: &str = "local";

/// The image that a build runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuilderImage {
    /// Built here from this checkout's docker/ folder. Its tag contains the inputs' hash.
    Local(Inputs),
    /// Named by the caller or by the pin.
    Named(ImageRef),
    /// Part of a build's saved inputs.
    Saved {
        image: ArchivedImage,
        archive: PathBuf,
        /// Digest of its manifest, if it was recorded and the archive holds it.
        digest: Option<Digest>,
        /// Its record in that build's BUILD_INFO.
        record: String,
    },
}

impl BuilderImage {
    /// Chooses `--image`, else BUILDER_IMAGE of the environment, else the pin in build.sh, else the local
    /// image.
    pub(crate) fn choose(repo: &Repo, flag: Option<&str>) -> Result<BuilderImage> {
        let from_env = std::env::var("BUILDER_IMAGE").ok().filter(|value| !value.is_empty());
        let (asked, source) = match (flag, &from_env) {
            (Some(flag), _) => (Some(flag), "--image"),
            (None, Some(value)) => (Some(value.as_str()), "BUILDER_IMAGE in the environment"),
            (None, None) => (None, "build.sh"),
        };
        let named = match asked {
            Some(LOCAL | build_sh::UNPUBLISHED) => None,
            Some(reference) => Some(reference.parse().context(source).or_exit(Code::Usage)?),
            None => build_sh::read(&repo.build_sh())?,
        };
        Ok(match named {
            Some(reference) => BuilderImage::Named(reference),
            None => BuilderImage::Local(Inputs::gather(repo)?),
        })
    }

    /// Its name on an engine.
    pub(crate) fn name(&self, client: &Client) -> String {
        match self {
            BuilderImage::Local(inputs) => client.local_name(&inputs.tag()),
            BuilderImage::Named(reference) => reference.to_string(),
            BuilderImage::Saved { image, .. } => {
                image.on(client).unwrap_or_else(|| image.id().to_owned())
            }
        }
    }

    /// Writes the image, which an engine has, to the new file `to`: its normal form, if its digest says that it has one.
    /// Another image is written as the engine saves it.
    pub(crate) fn keep(&self, repo: &Repo, client: &Client, to: &Path) -> Result<EngineImage> {
        let copy = |archive: &Path| {
            fs::copy(archive, to).with_context(|| format!("cannot copy {}", archive.shown()))
        };
        match self {
            BuilderImage::Local(inputs) => {
                let name = self.name(client);
                let kept = KeptImage::find(repo, inputs);
                if let Some(kept) =
                    kept.filter(|kept| kept.is_called(&name, client).is_ok_and(|is| is))
                {
                    copy(&kept.archive)?;
                    return Ok(EngineImage {
                        id: kept.digest.to_string(),
                        digest: Some(kept.digest),
                    });
                }
                let id = client.image_id(&name)?;
                let id = id.with_context(|| format!("the engine no longer has {name}"))?;
                client.save(&name, to).read()?;
                Ok(EngineImage { id, digest: None })
            }
            BuilderImage::Saved { image, archive, digest, .. } => {
                copy(archive)?;
                Ok(EngineImage { id: image.id().to_owned(), digest: digest.clone() })
            }
            BuilderImage::Named(reference) => {
                let name = reference.to_string();
                let id = client.image_id(&name)?;
                let id = id.with_context(|| format!("the engine no longer has {name}"))?;
                client.save(&name, to).read()?;
                let normal = to.with_extension("normal");
                let called = format!("silvermetal-builder:{}", &hash::text(&name).hex()[..12]);
                let digest = normalise(to, LatestTime::OfImage, &called, &normal).ok();
                let digest = digest.filter(|digest| reference.digest.as_ref() == Some(digest));
                if let Some(digest) = digest {
                    fs::rename(&normal, to)
                        .with_context(|| format!("cannot write {}", to.shown()))?;
                    return Ok(EngineImage { id: digest.to_string(), digest: Some(digest) });
                }
                interrupt::check()?;
                drop(fs::remove_file(&normal));
                Ok(EngineImage { id, digest: None })
            }
        }
    }

    /// Its record in BUILD_INFO, which is the same on every machine with the same image.
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

/// An image on an engine, or in an archive.
#[derive(Clone, Debug)]
pub(crate) struct EngineImage {
    /// Its id there. Another kind of image store gives the same image another id.
    pub(crate) id: String,
    /// Digest of its manifest, which is the same everywhere; `None` if nothing names it.
    pub(crate) digest: Option<Digest>,
}

/// Returns true if the engine has the image. The store of a stopped private engine is read directly.
pub(crate) fn is_present(client: &Client, image: &BuilderImage, places: &EngineFolders) -> bool {
    let stopped = client.kind == EngineKind::Private && client.version().is_err();
    match image {
        BuilderImage::Saved { image, .. } if stopped => {
            return image.names().any(|name| places.has_image(&name));
        }
        BuilderImage::Saved { image, .. } => return image.on(client).is_some(),
        _ if stopped => return places.has_image(&image.name(client)),
        _ => {}
    }
    client.image_id(&image.name(client)).is_ok_and(|id| id.is_some())
}

/// The fix for a missing builder image.
pub(crate) fn fix_hint(engine: EngineKind, build_sh: &Path) -> String {
    let flag = if engine == EngineKind::Private { " --engine private" } else { "" };
    format!(
        "build it here: cargo xtask image build{flag} (or pass --setup); \
         or name a published one by digest: --image REGISTRY/silvermetal-builder@sha256:… \
         (the pin in {} says `{}`)",
        build_sh.shown(),
        build_sh::UNPUBLISHED
    )
}
