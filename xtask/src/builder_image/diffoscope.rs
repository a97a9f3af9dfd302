//! diffoscope in a container of the builder image, as a command line that `diagnose` can run.

use super::{BuilderImage, is_present};
use crate::engine::container::Tool;
use crate::engine::paths::PathMap;
use crate::engine::private::{EngineFolders, Private};
use crate::engine::{Client, EngineKind};
use anyhow::Result;
use serde_json::json;
use xtask_core::exec::{Cmd, which};
use xtask_core::facts::host::Host;
use xtask_core::facts::repo::Repo;
use xtask_core::ui::Ui;

/// A shell in the builder image, where diffoscope is installed.
pub(crate) struct Diffoscope {
    client: Client,
    /// The value of `--diffoscope-command`.
    command: String,
    /// Stops when this is dropped.
    private: Option<Private>,
}

impl Diffoscope {
    /// Takes the first engine that answers and has the image. With `start`, our own engine is
    /// started if it has the image; otherwise nothing is started.
    pub(crate) fn at_hand(
        repo: &Repo,
        image: Option<&str>,
        start: bool,
        ui: &Ui,
    ) -> Result<Option<Diffoscope>> {
        let places = EngineFolders::of(repo);
        let image = BuilderImage::choose(repo, image)?;
        let Some(client) = engine_with(&image, &places, start)? else { return Ok(None) };
        let private = match client.kind {
            EngineKind::Private => Some(Private::start(&places, ui)?),
            _ => None,
        };
        // below target/: on a disk, and visible to an engine that runs beside a CI job's container
        let folder = repo.state().join(format!("diffoscope-{}", std::process::id()));
        let tool = Tool {
            name: format!("silvermetal-tool-{}", std::process::id()),
            image: image.name(&client),
            read: PathMap::of(&client)?.translate(&folder)?,
            program: "bash".to_owned(),
        };
        let command = json!({
            "folder": folder,
            "run": tool.run(&client).argv(),
            "stop": client.stop(&tool.name).argv(),
        });
        Ok(Some(Diffoscope { client, command: command.to_string(), private }))
    }

    /// Whether an engine of our own runs for it, which dropping this stops.
    pub(crate) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// `program` with the option that tells it how to run diffoscope.
    pub(crate) fn hand_to(&self, program: Cmd) -> Cmd {
        self.client.in_its_environment(program).args(["--diffoscope-command", &self.command])
    }
}

fn engine_with(
    image: &BuilderImage,
    places: &EngineFolders,
    start: bool,
) -> Result<Option<Client>> {
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
