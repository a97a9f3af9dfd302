//! The image that a rehearsal compares with.

use crate::build::BuildFacts;
use crate::build::earlier;
use crate::build::records::is_of_candidate;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::records::published::{BuildInfo, Published};

/// The last image, or why there is none.
pub(super) enum LastImage {
    /// Path of the image, or of the output folder of its build.
    Found(PathBuf),
    Missing(String),
}

impl LastImage {
    /// The image that `--against` names, else the newest one of this checkout with the recipe and the flavor
    /// of `product`. Images of earlier rehearsals do not count.
    ///
    /// # Errors
    /// `--against` names nothing (exit code 2); the records of the newest image cannot be read.
    pub(super) fn find(
        repo: &Repo,
        product: &BuildFacts,
        against: Option<&Path>,
    ) -> Result<LastImage> {
        if let Some(path) = against {
            let path = std::path::absolute(path).context("--against").or_exit(Code::Usage)?;
            if !path.exists() {
                let what = format!("--against {}: no such file or folder", path.shown());
                return Err(Code::Usage.error(what));
            }
            return Ok(LastImage::Found(path));
        }
        let (recipe, flavor) = (&product.recipe.name, product.flavor.as_deref());
        let is_it = |info: &BuildInfo| {
            info.get("Recipe") == recipe
                && info.get("Flavor") == flavor.unwrap_or_default()
                && !is_of_candidate(info)
        };
        let newest = earlier::newest(&repo.output(), is_it);
        let newest = newest.map(|build| Published::read(&build.dir).map(|records| records.iso()));
        Ok(match newest.transpose()? {
            Some(iso) if iso.is_file() => LastImage::Found(iso),
            Some(iso) => LastImage::Missing(format!("{} is gone", iso.shown())),
            None => {
                let flavor = flavor.map(|flavor| format!(", flavor {flavor},")).unwrap_or_default();
                let output = repo.output();
                LastImage::Missing(format!(
                    "there is no image of recipe {recipe}{flavor} in {}",
                    output.shown()
                ))
            }
        })
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            LastImage::Found(path) => Some(path),
            LastImage::Missing(_) => None,
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            LastImage::Found(path) => path.shown().to_string(),
            LastImage::Missing(why) => format!("nothing: {why}"),
        }
    }
}
