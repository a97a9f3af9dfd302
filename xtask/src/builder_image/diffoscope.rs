//! diffoscope in a container of the builder image, as a command line that `diagnose` can run.

use super::{BuilderImage, is_present};
use crate::engine::container::Tool;
use crate::engine::paths::PathMap;
use crate::engine::private::{EngineFolders, Private};
use crate::engine::{Client, EngineKind};
use anyhow::Result;
use serde_json::json;
use std::path::Path;
use xtask_core::exec::{Cmd, which};
use xtask_core::facts::host::Host;
use xtask_core::facts::repo::Repo;
use xtask_core::interrupt;
use xtask_core::records::published::BuildInfo;
use xtask_core::ui::Ui;

/// Seconds that an engine gets for its answer. Usually it takes less than a tenth of one, and two
/// identical images must not wait for an engine that hangs.
const PATIENCE: u32 = 2;

/// A shell in the builder image, where diffoscope is installed.
pub(crate) struct Diffoscope {
    client: Client,
    /// The value of `--diffoscope-command`.
    command: String,
    /// Stops when this is dropped.
    private: Option<Private>,
}

impl Diffoscope {
    /// Like [`Diffoscope::find`], but starts nothing. An error becomes a note, because `diagnose`
    /// works without diffoscope.
    pub(crate) fn if_at_hand(
        repo: &Repo,
        built: Option<&Path>,
        ui: &Ui,
    ) -> Result<Option<Diffoscope>> {
        Diffoscope::find(repo, built, false, ui).or_else(|error| {
            interrupt::check()?;
            ui.notice(&format!("diffoscope cannot run in the builder image: {error:#}"));
            Ok(None)
        })
    }

    /// Finds the first engine that answers and has the builder image: the one that made `built` (an
    /// ISO or an output folder), else the one that a build would use now. With `start`, the private
    /// engine is started if it has the image.
    pub(crate) fn find(
        repo: &Repo,
        built: Option<&Path>,
        start: bool,
        ui: &Ui,
    ) -> Result<Option<Diffoscope>> {
        let places = EngineFolders::of(repo);
        let image = BuilderImage::choose(repo, built.and_then(recorded_image).as_deref())?;
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

    /// Returns true if it runs on the private engine, which stops when this is dropped.
    pub(crate) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Adds the option that tells `program` how to run diffoscope.
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
    let mut running = shared.into_iter().chain([places.client()]).filter(|client| {
        which(client.program()).is_some() && client.version_within(PATIENCE).is_ok()
    });
    if let Some(client) = running.find(|client| is_present(client, image, places)) {
        return Ok(Some(client));
    }
    let may = start && Host::gather()?.is_root() && which("dockerd").is_some();
    let client = places.client();
    Ok((may && is_present(&client, image, places)).then_some(client))
}

/// The builder image that BUILD_INFO in or beside `built` names.
fn recorded_image(built: &Path) -> Option<String> {
    let built = built.canonicalize().ok()?;
    let folders = [built.clone(), built.join("build-a"), built.parent()?.to_owned()];
    let info = folders.iter().find_map(|dir| BuildInfo::read(&dir.join("BUILD_INFO")).ok())?;
    let image = info.get("Builder-Image").split_whitespace().next()?;
    (image == super::LOCAL || image.contains('/')).then(|| image.to_owned())
}
