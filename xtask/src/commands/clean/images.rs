//! `clean --images`: removes builder images that nothing uses any more. Each takes a gigabyte, and 300 MB as a normal
//! form in target/.

use crate::builder_image::{Inputs, kept};
use crate::engine::Client;
use crate::engine::client::LABEL;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
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

/// Removes the normal forms in target/ that were built from other inputs than today's, and those that a comparison
/// left. Returns their names. The caller makes sure that no command builds an image.
pub(super) fn remove_old_normal_forms(repo: &Repo, ui: &Ui) -> Result<Vec<String>> {
    let todays = kept::path(repo, &Inputs::gather(repo)?);
    let mut removed = Vec::new();
    for path in normal_forms(&kept::folder(repo))? {
        if path == todays {
            continue;
        }
        let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.with_context(|| format!("cannot remove {}", path.shown()))?;
        ui.notice(&format!("removed {}", path.shown()));
        removed.push(path.shown().to_string());
    }
    Ok(removed)
}

/// Archives, parts of them, and the folder of `image build --verify`. Other files are not ours.
fn normal_forms(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.shown()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.shown()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        let is_inputs = stem.len() == 12 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
        if name == "verify" || (name.contains(".tar") && (is_inputs || stem == "anew")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_files_are_normal_forms() {
        let dir = std::env::temp_dir().join(format!("silvermetal-forms-{}", std::process::id()));
        fs::create_dir_all(dir.join("verify")).unwrap();
        let ours = [".aaaaaaaaaaaa.tar.silvermetal-part", "aaaaaaaaaaaa.tar", "anew.tar"];
        for name in ours.iter().chain(&["lock", "mine.tar", "aaaaaaaaaaaa.txt", "work"]) {
            fs::write(dir.join(name), "x").unwrap();
        }
        let found = normal_forms(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        let expected = ours.iter().chain(&["verify"]).map(|name| dir.join(name));
        assert_eq!(found, expected.collect::<Vec<_>>());
        assert!(normal_forms(&dir).unwrap().is_empty());
    }
}
