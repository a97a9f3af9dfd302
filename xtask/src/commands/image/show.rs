//! `cargo xtask image show`: shows the image that a build would use, and where it exists.

use crate::builder_image::kept::KeptImage;
use crate::builder_image::provenance::Provenance;
use crate::builder_image::rebuilt::Rebuilt;
use crate::builder_image::{BuilderImage, Inputs, is_present, labels, published};
use crate::engine::private::EngineFolders;
use crate::engine::{EngineChoice, EngineKind, detect};
use crate::registry::Registry;
use anyhow::Result;
use serde_json::json;
use xtask_core::facts::host::Host;
use xtask_core::facts::repo::Repo;
use xtask_core::json;
use xtask_core::pins::{Digest, ImageRef, build_sh};
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask image show
  cargo xtask image show --offline --json";

/// Show the image that a build would use, its provenance, and whether a registry serves it
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ImageShowArgs {
    /// Engine to search for the image
    #[arg(long, default_value = "auto")]
    engine: EngineChoice,
    /// Ask no registry
    #[arg(long)]
    offline: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    json: bool,
}

/// `cargo xtask image show`
pub(crate) fn command(repo: &Repo, args: &ImageShowArgs) -> Result<()> {
    let ui = Ui::new(false);
    let today = Inputs::gather(repo)?;
    let places = EngineFolders::of(repo);
    let engines = [EngineKind::Docker, EngineKind::Podman, EngineKind::Private];
    let selection = detect(args.engine, &engines, &Host::gather()?, &places);
    let local = BuilderImage::Local(today.clone());
    let built = selection.client.as_ref().is_some_and(|client| is_present(client, &local, &places));
    let pin = build_sh::read(&repo.build_sh())?;
    let digest = pin.as_ref().and_then(|pin| pin.digest.as_ref()).map(Digest::to_string);
    let record = Provenance::read(&repo.builder_image(), digest.as_deref().unwrap_or_default())?;
    let served = match (&pin, args.offline) {
        (_, true) => "not asked: --offline".to_owned(),
        (Some(pin), _) => served(pin, &today, &ui),
        (None, _) => {
            let tag = published::tag_of(&today);
            let image =
                ImageRef { repository: published::repository(repo)?, tag: Some(tag), digest: None };
            served(&image, &today, &ui)
        }
    };
    let state = match &pin {
        None => "nothing is pinned: each machine builds its own image",
        Some(_) if record.is_none() => {
            "builder-image.toml does not say what it was built from: cargo xtask bump-image"
        }
        Some(_) if record.as_ref().is_some_and(|r| r.inputs != today.digest.to_string()) => {
            "stale: linux/build/docker or a pin has changed since: cargo xtask image push && cargo xtask bump-image"
        }
        Some(_) => "current: built from today's linux/build/docker",
    };
    let record = record.unwrap_or_default();
    let kept = KeptImage::find(repo, &today);
    let rebuilt = Rebuilt::of(kept.as_ref(), digest.as_deref(), &record, &today);
    let pin = pin.map_or_else(|| build_sh::UNPUBLISHED.to_owned(), |pin| pin.to_string());
    let here =
        format!("{} on engine {}", if built { "there" } else { "not there" }, selection.kind);
    if args.json {
        json::print(&json!({
            "format": "silvermetal-image-show/1",
            "inputs": today.digest.to_string(), "base": today.base, "snapshot": today.stamp,
            "local": today.tag(), "built": built, "engine": selection.kind.name(),
            "pin": pin, "state": state, "rebuilt": rebuilt.name(),
            "digest": kept.as_ref().map(|kept| kept.digest.to_string()),
            "registry": served, "provenance": {
                "digest": record.digest, "inputs": record.inputs, "base": record.base,
                "snapshot": record.snapshot, "apt-pinned": record.apt_pinned, "commit": record.commit,
            },
        }));
        return Ok(());
    }
    let lines: [(&str, String); 7] = [
        ("inputs", format!("{} (today's linux/build/docker and pins)", today.digest)),
        ("local", format!("{} ({here})", today.tag())),
        ("pin", pin),
        ("state", state.to_owned()),
        ("rebuilt", rebuilt.text(kept.as_ref())),
        (
            "built from",
            format!("commit {}, snapshot {}", or_none(&record.commit), or_none(&record.snapshot)),
        ),
        ("registry", served),
    ];
    for (name, value) in lines {
        answer(format_args!("{name:<11} {}", value));
    }
    Ok(())
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

/// Asks the registry for an image, and returns its answer, or the error, in one line.
fn served(image: &ImageRef, today: &Inputs, ui: &Ui) -> String {
    let ask = || -> Result<String> {
        let registry = Registry::open(image, ui)?;
        let name = image.digest.as_ref().map(Digest::to_string).or(image.tag.clone());
        let manifest = registry.manifest(name.as_deref().unwrap_or(published::LATEST))?;
        let labels = registry.labels(&manifest)?;
        let of_today = labels::mismatch(&labels, today)
            .unwrap_or_else(|| "built from today's linux/build/docker".into());
        Ok(format!("serves {}: {of_today}", manifest.digest))
    };
    ask().unwrap_or_else(|error| format!("{error:#}"))
}
