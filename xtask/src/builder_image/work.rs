//! The work folder of one build of the image: what the builder reads, and the files on the way to the normal form.

use anyhow::{Context as _, Result};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use xtask_core::escape::Shown as _;
use xtask_core::facts::builder_inputs::InputFile;

/// The work folder. It is removed when this is dropped.
pub(crate) struct ImageWork {
    dir: PathBuf,
    /// The build context: the inputs, and nothing else.
    pub(super) context: PathBuf,
    /// Tar of the bootstrapped base.
    pub(super) base: PathBuf,
    /// The image as the engine saves it.
    pub(super) saved: PathBuf,
    /// An empty folder, on which the bootstrap may mount something.
    pub(super) empty: PathBuf,
}

impl ImageWork {
    /// The paths, before anything is there.
    pub(super) fn of(beside: &Path) -> ImageWork {
        let dir = beside.join("work");
        let path = |name: &str| dir.join(name);
        ImageWork {
            context: path("context"),
            base: path("base.tar"),
            saved: path("saved.tar"),
            empty: path("empty"),
            dir,
        }
    }

    /// Makes the folder anew. The caller holds the lock for image builds.
    pub(super) fn set_up(beside: &Path) -> Result<ImageWork> {
        let work = ImageWork::of(beside);
        drop(fs::remove_dir_all(&work.dir)); // of a killed run
        fs::create_dir_all(&work.empty)
            .with_context(|| format!("cannot make {}", work.empty.shown()))?;
        Ok(work)
    }

    /// Copies the inputs to the build context. Modes and times are constants: those in the checkout depend on the
    /// umask and on the time of the clone.
    pub(super) fn stage(&self, files: &[InputFile], epoch: u64) -> Result<()> {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        for file in files {
            let to = self.context.join(&file.name);
            let copied = (|| -> std::io::Result<()> {
                if let Some(folder) = to.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::copy(&file.path, &to)?;
                File::options().write(true).open(&to)?.set_modified(time)?;
                let mode = if file.executable { 0o755 } else { 0o644 };
                fs::set_permissions(&to, Permissions::from_mode(mode))
            })();
            copied
                .with_context(|| format!("cannot copy {} to {}", file.path.shown(), to.shown()))?;
        }
        // folders last, because a file in them changes their times
        for file in files {
            let folders = Path::new(&file.name).ancestors().skip(1);
            for folder in folders.map(|folder| self.context.join(folder)) {
                let set = File::open(&folder).and_then(|open| open.set_modified(time));
                let set =
                    set.and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(0o755)));
                set.with_context(|| format!("cannot prepare {}", folder.shown()))?;
            }
        }
        Ok(())
    }
}

impl Drop for ImageWork {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.dir));
    }
}
