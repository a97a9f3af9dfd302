//! `cargo xtask image build`: builds the builder image from linux/build/docker, on an engine.

use super::verify;
use crate::builder_image::build::OwnImage;
use crate::builder_image::builder_env::BuilderEnv;
use crate::engine::BuildArgs;
use anyhow::Result;
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::json;
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask image build --setup
  cargo xtask image build --engine private --dry-run
  cargo xtask image build --verify             twice from nothing: is it reproducible?";

/// Build the builder image from linux/build/docker; print its name and its digest
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ImageBuildArgs {
    /// Build it twice from nothing, the second time under other conditions (clock, host name, umask, order
    /// of directories), and compare: exit 0 if both have one digest, else 1, with the causes
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    build: BuildArgs,
}

/// `cargo xtask image build`
pub(crate) fn command(repo: &Repo, args: &ImageBuildArgs) -> Result<()> {
    let build = &args.build;
    if args.verify {
        return verify::command(repo, build);
    }
    let ui = Ui::new(build.verbose);
    let env = BuilderEnv::gather(repo, build)?;
    if build.dry_run {
        return env.describe().show("image build", &env.problems, build.shown());
    }
    let open = env.open(&ui)?;
    let OwnImage { name, kept } = env.plan.execute(&open.client, open.network, &ui)?;
    let id = open.client.image_id(&name)?.unwrap_or_default();
    ui.notice(&format!("digest {}: {}", kept.digest, kept.archive.shown()));
    if build.json {
        let plan = &env.plan;
        json::print(&serde_json::json!({
            "format": "silvermetal-image-build/1",
            "image": name, "id": id, "digest": kept.digest.to_string(),
            "archive": kept.archive, "inputs": plan.inputs.digest.to_string(),
            "base": plan.inputs.base, "snapshot": plan.inputs.stamp,
            "engine": open.client.kind.name(), "apt_pinned": plan.mirror.pinned(),
        }));
    } else {
        answer(format_args!("{name}"));
    }
    Ok(())
}
