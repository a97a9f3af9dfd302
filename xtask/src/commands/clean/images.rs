//! `clean --images`: removes builder images that nothing uses any more. Each takes a gigabyte.

use crate::builder_image::Inputs;
use crate::engine::Client;
use crate::engine::client::LABEL;
use anyhow::Result;
use xtask_core::facts::repo::Repo;
use xtask_core::pins::build_sh;
use xtask_core::ui::Ui;

/// Removes images that were built from other inputs than today's, except the pinned one and those
/// that a container runs. Returns their names.
pub(super) fn remove_old(client: &Client, repo: &Repo, ui: &Ui) -> Result<Vec<String>> {
    let todays = Inputs::gather(repo)?.digest.to_string();
    let pinned = build_sh::read(&repo.build_sh())?.map(|image| image.to_string());
    // label that `image build` sets: the hash of the inputs
    let inputs = format!("{LABEL}.inputs");
    let filter = format!("label={inputs}");
    let ids = client.cmd().args(["images", "--quiet", "--no-trunc", "--filter", &filter]).read()?;
    let mut ids: Vec<&str> = ids.lines().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut removed = Vec::new();
    for id in ids {
        let template = format!(
            "{{{{index .Config.Labels \"{inputs}\"}}}}{{{{range .RepoDigests}}}}\n{{{{.}}}}{{{{end}}}}"
        );
        let told = client.inspect(id, &template)?;
        let mut told = told.lines();
        let of_today = told.next() == Some(&todays);
        if of_today || told.any(|name| Some(name) == pinned.as_deref()) {
            continue;
        }
        if client.cmd().args(["image", "rm", "--force", id]).succeeds() {
            ui.notice(&format!("removed builder image {id}, built from other inputs"));
            removed.push(format!("builder image {id}"));
        }
    }
    Ok(removed)
}
