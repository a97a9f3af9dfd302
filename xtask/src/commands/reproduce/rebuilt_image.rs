//! `reproduce --rebuild-image`: rebuilds the builder image of a release, before anything runs in it.

use super::release::PublishedRelease;
use super::verdict::REPORT_TO;
use crate::builder_image::builder_env::BuilderEnv;
use crate::engine::BuildArgs;
use anyhow::Result;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, Problem};
use xtask_core::pins::{Digest, ImageRef};
use xtask_core::ui::Ui;

/// Digest of the builder image, as the release names it; `None` if it names none.
pub(super) fn digest_of(release: &PublishedRelease) -> Option<Digest> {
    let recorded = release.info.get("Builder-Image-Digest").parse().ok();
    let pinned = || release.info.get("Builder-Image").parse::<ImageRef>().ok()?.digest;
    recorded.or_else(pinned)
}

/// Reasons why the image cannot be rebuilt.
pub(super) fn problems(
    repo: &Repo,
    release: &PublishedRelease,
    build: &BuildArgs,
) -> Result<Vec<Problem>> {
    if digest_of(release).is_none() {
        let why = "the release does not name the digest of its builder image";
        return Ok(vec![Problem::new(why, "omit --rebuild-image")]);
    }
    Ok(BuilderEnv::for_rebuild(repo, build)?.problems)
}

/// Rebuilds the image from nothing. Another digest than the release's is refused.
pub(super) fn rebuild(
    repo: &Repo,
    release: &PublishedRelease,
    build: &BuildArgs,
    ui: &Ui,
) -> Result<()> {
    let env = BuilderEnv::for_rebuild(repo, build)?;
    let open = env.open(ui)?;
    let rebuilt = env.plan.make_anew(&open.client, open.network, ui)?;
    match digest_of(release) {
        Some(digest) if digest == rebuilt.digest => {
            ui.notice(&format!(
                "the builder image was rebuilt: it has the release's digest {digest}"
            ));
            Ok(())
        }
        then => {
            let then = then.map(|digest| digest.to_string()).unwrap_or_default();
            let why = if env.plan.mirror.pinned() {
                format!("report it to {REPORT_TO}")
            } else {
                "packages did not come from the pinned snapshot, so this says nothing about the release".to_owned()
            };
            Err(Code::No.error(format!(
                "the builder image that was rebuilt here has the digest {}, the release was built in {then}: nothing \
                 was built in it; {why}",
                rebuilt.digest
            )))
        }
    }
}
