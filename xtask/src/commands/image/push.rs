//! `cargo xtask image push`: pushes the builder image to a registry, under tags that protect it from
//! garbage collection.

use crate::builder_image::builder_env::{self, BuilderEnv};
use crate::builder_image::kept::{self, KeptImage};
use crate::builder_image::{Inputs, MANIFEST_TYPE, labels, published};
use crate::engine::{BuildArgs, EngineChoice};
use crate::registry::{ImageManifest, Refusal, Registry};
use anyhow::{Context as _, Result};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::json;
use xtask_core::pins::{Digest, ImageRef};
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask image push                       to the repository of the pin
  cargo xtask image push --to localhost:5000/me/builder:try
  cargo xtask image push --if-missing          for a CI job";

/// Push the builder image to a registry as it was built here, and build it first if it was not; print
/// its digest, which was known before
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ImagePushArgs {
    /// Repository to push to, and one more tag. The image always gets the tag of its inputs, the tag of
    /// its digest, and `latest` [default: repository of the last push, else the pin's, else the
    /// project's]
    #[arg(long, value_name = "REGISTRY/NAME[:TAG]")]
    to: Option<ImageRef>,
    /// Push only if the registry has no image of this checkout's docker/ folder (implies --setup)
    #[arg(long)]
    if_missing: bool,
    /// Write `image=` and `digest=` to the file that GITHUB_OUTPUT names
    #[arg(long)]
    github_output: bool,
    #[command(flatten)]
    build: BuildArgs,
}

/// Destination of the push.
struct Target {
    repository: String,
    /// Tag of the inputs. `--if-missing` finds an earlier push of the same inputs by it.
    tag: String,
    /// More tags.
    more: Vec<String>,
}

impl Target {
    fn of(repo: &Repo, asked: Option<&ImageRef>, inputs: &Inputs) -> Result<Target> {
        if let Some(reference) = asked.filter(|reference| reference.digest.is_some()) {
            return Err(Code::Usage.error(format!(
                "`{reference}`: expected REGISTRY/NAME[:TAG]; the digest is the result of a push"
            )));
        }
        let tag = asked.and_then(|reference| reference.tag.as_deref());
        if let Some(tag) = tag.filter(|tag| is_referrers_tag(tag)) {
            return Err(Code::Usage.error(format!(
                "tag `{tag}`: registries keep lists of signatures under such tags (OCI's referrers tag schema): \
                 expected another name"
            )));
        }
        let repository = match asked {
            Some(reference) => reference.repository.clone(),
            None => published::repository(repo)?,
        };
        let more = asked.and_then(|reference| reference.tag.clone());
        let tag = published::tag_of(inputs);
        let more = [Some(published::LATEST.to_owned()), more].into_iter().flatten();
        Ok(Target { more: more.filter(|t| *t != tag).collect(), repository, tag })
    }

    fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    fn image(&self) -> ImageRef {
        ImageRef { repository: self.repository.clone(), tag: Some(self.tag.clone()), digest: None }
    }
}

/// `cargo xtask image push`
pub(crate) fn command(repo: &Repo, args: &ImagePushArgs) -> Result<()> {
    let ui = Ui::new(args.build.verbose);
    if matches!(args.build.engine, EngineChoice::Host | EngineChoice::Vm) {
        return Err(Code::Usage.error(builder_env::NO_ENGINE)); // also if nothing needs to be built
    }
    let outputs = if args.github_output { Some(github_output()?) } else { None };
    let inputs = Inputs::gather(repo)?;
    let target = Target::of(repo, args.to.as_ref(), &inputs)?;
    if args.build.dry_run {
        let env = BuilderEnv::gather(repo, &args.build)?;
        let mut plan = env.describe();
        plan.line("push to", target.tagged());
        plan.line("more tags", target.more.join(", "));
        plan.step(
            "push, without an engine",
            format!("# xtask uploads {}", kept::path(repo, &inputs).shown()),
        );
        return plan.show("image push", &env.problems, args.build.shown());
    }
    let registry = Registry::open(&target.image(), &ui)?;
    let there = if args.if_missing { existing(&registry, &target, &inputs, &ui)? } else { None };
    let (manifest, pushed) = match there {
        Some(manifest) => (manifest, false),
        None => (push(repo, args, &registry, &target, &inputs, &ui)?, true),
    };
    let image = ImageRef {
        repository: target.repository.clone(),
        tag: None,
        digest: Some(manifest.digest.clone()),
    };
    ui.notice(&format!("{}: {image}", if pushed { "pushed" } else { "already in the registry" }));
    published::note_pushed(repo, &image)?;
    if let Some(path) = outputs {
        let lines = format!("image={image}\ndigest={}\n", manifest.digest);
        let written = File::options().append(true).create(true).open(&path);
        let written = written.and_then(|mut file| file.write_all(lines.as_bytes()));
        written.with_context(|| format!("cannot write {} (GITHUB_OUTPUT)", path.shown()))?;
    }
    if args.build.json {
        json::print(&serde_json::json!({
            "format": "silvermetal-image-push/1",
            "image": image.to_string(), "digest": manifest.digest.to_string(),
            "repository": target.repository, "inputs": inputs.digest.to_string(),
            "pushed": pushed,
        }));
    } else {
        answer(format_args!("{image}"));
    }
    Ok(())
}

/// The file for the outputs of a CI job's step.
fn github_output() -> Result<PathBuf> {
    let path = std::env::var_os("GITHUB_OUTPUT").filter(|path| !path.is_empty());
    path.map(PathBuf::from)
        .context("--github-output: GITHUB_OUTPUT names no file: it is set in a CI job's step")
        .or_exit(Code::Usage)
}

/// Returns the image of these inputs if the registry has it.
fn existing(
    registry: &Registry<'_>,
    target: &Target,
    inputs: &Inputs,
    ui: &Ui,
) -> Result<Option<ImageManifest>> {
    let manifest = match registry.manifest(&target.tag) {
        Ok(manifest) => manifest,
        Err(Refusal::Gone(_)) => return Ok(None),
        Err(refusal) => return Err(refusal.into()),
    };
    if let Some(why) = labels::mismatch(&registry.labels(&manifest)?, inputs) {
        ui.notice(&format!("{} is replaced: {why}", target.tagged()));
        return Ok(None);
    }
    name(registry, target, &manifest)?;
    Ok(Some(manifest))
}

/// A tag that never moves, so that the registry does not collect this digest as garbage. It is not
/// `sha256-HEX`: under that tag the OCI distribution specification keeps the list of what refers to a
/// manifest, such as its signatures.
fn keeper(digest: &Digest) -> String {
    format!("keep.sha256.{}", digest.hex())
}

/// Returns `true` for a tag that the OCI distribution specification's referrers tag schema may use.
fn is_referrers_tag(tag: &str) -> bool {
    let hex = |text: &str| text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digest = tag.split('.').next().unwrap_or_default();
    digest
        .split_once('-')
        .is_some_and(|(algorithm, rest)| algorithm.starts_with("sha") && hex(rest))
}

/// Gives the image its other tags. After docker/ was changed and changed back, the image was pushed long ago,
/// and `latest` is another one.
fn name(registry: &Registry<'_>, target: &Target, manifest: &ImageManifest) -> Result<()> {
    for tag in target.more.iter().chain(Some(&keeper(&manifest.digest))) {
        let there = registry.manifest(tag);
        if !there.is_ok_and(|there| there.digest == manifest.digest) {
            registry.tag(manifest, tag)?;
        }
    }
    Ok(())
}

/// Uploads the normal form of the image, which is built first if there is none here.
fn push(
    repo: &Repo,
    args: &ImagePushArgs,
    registry: &Registry<'_>,
    target: &Target,
    inputs: &Inputs,
    ui: &Ui,
) -> Result<ImageManifest> {
    let kept = match KeptImage::find(repo, inputs) {
        Some(kept) => kept,
        None => {
            let mut build = args.build.clone();
            build.setup |= args.if_missing;
            let env = BuilderEnv::gather(repo, &build)?;
            let open = env.open(ui)?;
            env.plan.execute(&open.client, open.network, ui)?.kept
        }
    };
    ui.notice(&format!("digest {}: {}", kept.digest, kept.archive.shown()));
    let dir = kept::folder(repo).join(format!("push-{}", std::process::id()));
    let stage = ui.stage("push");
    let pushed = upload(&kept, registry, target, &dir);
    stage.end(pushed.is_ok());
    drop(std::fs::remove_dir_all(&dir));
    let manifest = pushed?;
    name(registry, target, &manifest)?;
    Ok(manifest)
}

fn upload(
    kept: &KeptImage,
    registry: &Registry<'_>,
    target: &Target,
    dir: &Path,
) -> Result<ImageManifest> {
    let parts = kept.unpack(dir)?;
    for (digest, file) in &parts.blobs {
        registry.put_blob(digest, file)?;
    }
    registry.put_manifest(MANIFEST_TYPE, &parts.manifest, &target.tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tag_of_ours_is_a_list_of_referrers() {
        let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        assert!(!is_referrers_tag(&keeper(&digest)) && !is_referrers_tag("sha256-notes"));
        for suffix in ["", ".sig", ".att"] {
            assert!(is_referrers_tag(&format!("sha256-{}{suffix}", digest.hex())), "{suffix}");
        }
        assert!(is_referrers_tag(&format!("sha512-{}", digest.hex())));
    }
}
