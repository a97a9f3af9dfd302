//! The work folder and the container of one build.

use super::inputs::BuildFacts;
use super::plan::{self, Folders, Run};
use super::sweep;
use super::workdir::{EngineCleanup, WorkFolder};
use crate::engine::Client;
use crate::engine::container::Network;
use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use walkdir::WalkDir;
use xtask_core::escape::Shown as _;

/// Dropping it removes the container, and then the work folder.
pub(crate) struct Sandbox {
    _container: Option<Remover>,
    pub(crate) folders: Folders,
    pub(crate) run: Run,
    pub(super) work: WorkFolder,
}

impl Sandbox {
    /// Prepares everything for the one long command of a build, which is `run`.
    pub(crate) fn set_up(facts: &BuildFacts, network: Network) -> Result<Sandbox> {
        let folders = Folders::new(facts);
        let run = plan::run(facts, &folders, network)?;
        let mut work =
            WorkFolder::create(&folders.work, &sweep::notes(&facts.repo), facts.host.caller)?;
        let sources = folders.sources(facts);
        copy_tree(&facts.recipe.dir, &sources.recipe)?;
        copy_tree(&facts.repo.config(), &sources.conf)?;
        if facts.has_own_cache() {
            fs::create_dir(folders.cache()).context("cannot make the package cache")?;
        }
        if let Some(saved) = &facts.inputs {
            saved.restore(&folders.cache())?;
        }
        let container = match &run {
            Run::Container { client, container } => {
                let path = facts.paths.translate(&folders.work)?;
                work.set_cleanup(EngineCleanup {
                    client: client.clone(),
                    image: container.image.clone(),
                    path,
                });
                Some(Remover { client: client.clone(), name: container.name.clone() })
            }
            Run::Host(_) => None,
            Run::Vm(vm) => {
                vm.set_up()?;
                None
            }
        };
        Ok(Sandbox { _container: container, folders, run, work })
    }
}

/// Removes the container if it outlives its client.
struct Remover {
    client: Client,
    name: String,
}

impl Drop for Remover {
    fn drop(&mut self) {
        // a failure is ignored: the next sweep removes the container
        drop(self.client.remove(&self.name));
    }
}

/// Copies a folder. Everybody can read the copies, and only files that are executable stay so. Recipes
/// contain only files and folders.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry.with_context(|| format!("cannot list {}", from.shown()))?;
        let target = to.join(entry.path().strip_prefix(from)?);
        let copied = if entry.file_type().is_dir() {
            fs::create_dir_all(&target)
        } else {
            fs::copy(entry.path(), &target).map(drop)
        };
        copied.with_context(|| {
            format!("cannot copy {} to {}", entry.path().shown(), target.shown())
        })?;
        let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
        fs::set_permissions(
            &target,
            fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }),
        )?;
    }
    Ok(())
}
