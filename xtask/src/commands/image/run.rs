//! `cargo xtask image run`: one program of the builder image, for who has it nowhere else.

use crate::builder_image::{BuilderImage, is_present, ways_on};
use crate::engine::container::Tool;
use crate::engine::paths::PathMap;
use crate::engine::private::{Places, Private};
use crate::engine::{Client, EngineKind};
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use xtask_core::exec::{Exit, StopBy, which};
use xtask_core::facts::host::Host;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::ui::{Ui, answer};

/// Run one program of the builder image, without network, rights and systemd
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ImageRunArgs {
    /// Start an engine of our own if no engine has the image
    #[arg(long)]
    start: bool,
    /// Another builder image than a build would use
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// What the program may read, as /in, which is its working folder
    #[arg(value_name = "FOLDER")]
    read: PathBuf,
    /// The program and its arguments; without, only whether one could run
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    program: Vec<String>,
}

/// `cargo xtask image run`: its output is ours, and so is a failure.
pub(crate) fn command(repo: &Repo, args: &ImageRunArgs) -> Result<()> {
    let ui = Ui::new(false);
    let places = Places::of(repo);
    let image = BuilderImage::choose(repo, args.image.as_deref())?;
    let found = at_hand(&image, &places, args.start)?;
    let Some(client) = found else {
        return Err(Code::NotReady.error(format!(
            "no engine at hand has the builder image: {}",
            ways_on(EngineKind::Private, &repo.build_sh())
        )));
    };
    let [program, rest @ ..] = &args.program[..] else { return Ok(()) };
    let _private = match client.kind {
        EngineKind::Private => Some(Private::start(&places, &ui)?),
        _ => None,
    };
    let read = args.read.canonicalize();
    let read = read.with_context(|| format!("cannot resolve {}", args.read.display()))?;
    let tool = Tool {
        name: format!("silvermetal-tool-{}", std::process::id()),
        image: image.name(&client),
        read: PathMap::of(&client)?.translate(&read)?,
        program: program.clone(),
        args: rest.to_vec(),
    };
    let cmd = tool.run(&client);
    let exit = cmd.stream(&StopBy::Command(client.stop(&tool.name)), |line| {
        answer(format_args!("{line}"));
        Ok(())
    })?;
    match exit {
        Exit::Code(0) => Ok(()),
        exit => {
            Err(Code::Failed.error(format!("`{program}` in the builder image failed ({exit})")))
        }
    }
}

/// The first engine that answers and has the image; with `start`, ours if it has it, running or not.
fn at_hand(image: &BuilderImage, places: &Places, start: bool) -> Result<Option<Client>> {
    let shared = [EngineKind::Docker, EngineKind::Podman].map(|kind| Client::new(kind, None));
    let mut running = shared
        .into_iter()
        .chain([places.client()])
        .filter(|client| which(client.program()).is_some() && client.version().is_ok());
    if let Some(client) = running.find(|client| is_present(client, image, places)) {
        return Ok(Some(client));
    }
    let may = start && Host::gather()?.is_root() && which("dockerd").is_some();
    let client = places.client();
    Ok((may && is_present(&client, image, places)).then_some(client))
}
