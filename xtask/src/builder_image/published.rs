//! Names of this checkout's builder images in a registry.

use super::{Inputs, REPOSITORY};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::pins::{ImageRef, build_sh};

/// Tag of the newest image. `bump-image latest-pushed` reads it.
pub(crate) const LATEST: &str = "latest";

/// The tag of the image that is built from these inputs. It is the same in every repository.
pub(crate) fn tag_of(inputs: &Inputs) -> String {
    inputs.digest.hex()[..12].to_owned()
}

/// Repository of this checkout's images: that of the last push, else the pin's, else the project's.
pub(crate) fn repository(repo: &Repo) -> Result<String> {
    if let Some(pushed) = last_pushed(repo) {
        return Ok(pushed.repository);
    }
    let pin = build_sh::read(&repo.build_sh())?;
    Ok(pin.map_or_else(|| REPOSITORY.to_owned(), |pin| pin.repository))
}

fn note(repo: &Repo) -> PathBuf {
    // several checkouts may share one target folder
    repo.state().join(format!("last-pushed-{}", repo.checkout_id()))
}

/// Records that this checkout has pushed `image`, for [`last_pushed`].
pub(crate) fn note_pushed(repo: &Repo, image: &ImageRef) -> Result<()> {
    let note = note(repo);
    // a fresh checkout whose image the registry has already kept nothing yet
    fs::create_dir_all(repo.state())
        .and_then(|()| fs::write(&note, format!("{image}\n")))
        .with_context(|| format!("cannot note in {} what was pushed", note.shown()))
}

/// The image that this checkout pushed last.
pub(crate) fn last_pushed(repo: &Repo) -> Option<ImageRef> {
    fs::read_to_string(note(repo)).ok()?.trim().parse().ok()
}
