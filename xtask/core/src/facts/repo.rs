//! The paths of this checkout.

use super::container::own_container;
use crate::escape::Shown as _;
use crate::failure::Code;
use crate::hash;
use anyhow::{Context as _, Result};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A checkout of SilverMetal.
#[derive(Clone, Debug)]
pub struct Repo {
    pub root: PathBuf,
}

impl Repo {
    /// Finds the checkout that cargo built this xtask from, or without cargo the one that contains the
    /// current folder.
    ///
    /// # Errors
    /// Neither is in a checkout.
    pub fn find() -> Result<Repo> {
        let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = std::env::current_dir().context("cannot read the current folder")?;
        let root = by_cargo
            .as_deref()
            .and_then(|package| package.ancestors().find(|dir| is_silvermetal(dir)))
            .or_else(|| here.ancestors().find(|dir| is_silvermetal(dir)))
            .with_context(|| {
                format!(
                    "{} is not in a SilverMetal checkout: expected linux/build/recipes above it",
                    here.shown()
                )
            });
        let root = root.map_err(|error| Code::NotReady.wrap(error))?;
        let root =
            root.canonicalize().with_context(|| format!("cannot resolve {}", root.shown()))?;
        Ok(Repo { root })
    }

    /// Identifies this checkout on an engine: the value of the label on everything that it starts.
    /// CI jobs that share an engine have their checkouts at the same path, each in a container of
    /// its own, so the container's id is a part of it.
    pub fn checkout_id(&self) -> String {
        let container = own_container().unwrap_or_default();
        hash::bytes(&[container.as_bytes(), self.root.as_os_str().as_bytes()].concat()).hex()[..12]
            .to_owned()
    }

    pub fn build(&self) -> PathBuf {
        self.root.join("linux/build")
    }

    pub fn recipes(&self) -> PathBuf {
        self.build().join("recipes")
    }

    pub fn config(&self) -> PathBuf {
        self.build().join("config")
    }

    pub fn docker(&self) -> PathBuf {
        self.build().join("docker")
    }

    pub fn build_sh(&self) -> PathBuf {
        self.build().join("scripts/build.sh")
    }

    /// The builder image's provenance.
    pub fn builder_image(&self) -> PathBuf {
        self.docker().join("builder-image.toml")
    }

    pub fn submodule(&self) -> PathBuf {
        self.build().join("derivative-maker")
    }

    /// Folder of the results and of the work folders beside them.
    pub fn output(&self) -> PathBuf {
        self.build().join("output")
    }

    /// Folder for what xtask keeps between runs (private engine, package cache, logs). It lies in the
    /// cargo target folder that this program was started from.
    pub fn state(&self) -> PathBuf {
        let target = std::env::current_exe().ok().and_then(|exe| target_of(&exe));
        target.unwrap_or_else(|| self.root.join("target")).join("silvermetal")
    }
}

/// The cargo target folder that holds this program. Cargo writes CACHEDIR.TAG only into a target folder that it made
/// itself, not into a mount point or another folder that was there before; .rustc_info.json it writes into each.
fn target_of(exe: &Path) -> Option<PathBuf> {
    let is_target = |dir: &&Path| {
        ["CACHEDIR.TAG", ".rustc_info.json"].iter().any(|name| dir.join(name).is_file())
    };
    exe.ancestors().take(4).find(is_target).map(Path::to_owned)
}

fn is_silvermetal(dir: &Path) -> bool {
    dir.join("linux/build/recipes").is_dir() && dir.join("xtask/Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use super::target_of;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_target_folder_is_known_whether_cargo_made_it_or_found_it() {
        let outer = std::env::temp_dir().join(format!("xtask-target-{}", std::process::id()));
        for mark in ["CACHEDIR.TAG", ".rustc_info.json"] {
            let target = outer.join(mark.to_lowercase());
            fs::create_dir_all(target.join("debug/deps")).unwrap();
            for exe in ["debug/xtask", "debug/deps/engine-1"] {
                assert_eq!(target_of(&target.join(exe)), None);
            }
            fs::write(target.join(mark), "").unwrap();
            for exe in
                ["debug/xtask", "debug/deps/engine-1", "x86_64-unknown-linux-gnu/debug/xtask"]
            {
                assert_eq!(target_of(&target.join(exe)).as_ref(), Some(&target));
            }
        }
        assert_eq!(target_of(Path::new("/usr/bin/xtask")), None);
        fs::remove_dir_all(&outer).unwrap();
    }
}
