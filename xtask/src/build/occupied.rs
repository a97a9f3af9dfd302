//! A folder in which one run works at a time: a verdict about two builds must not be about those of another
//! run.

use anyhow::{Context as _, Result};
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::host::Owner;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};

/// The lock of the folder. If the run has left nothing in it, the folder disappears with this.
#[must_use]
pub(crate) struct OccupiedFolder {
    /// Folders that this run made, outermost first.
    made: Vec<PathBuf>,
    _lock: File,
}

impl OccupiedFolder {
    /// Makes the folder if it is missing, and locks it.
    pub(crate) fn enter(dir: &Path, caller: Owner) -> Result<OccupiedFolder> {
        let mut made: Vec<PathBuf> =
            dir.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
        made.reverse();
        let opened = (|| {
            fs::create_dir_all(dir)?;
            made.iter().try_for_each(|dir| lchown(dir, Some(caller.uid), Some(caller.gid)))?;
            File::open(dir)
        })();
        let lock = opened
            .with_context(|| format!("cannot make {}", dir.shown()))
            .or_exit(Code::NotReady)?;
        let taken = match lock.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => Some(Problem::new(
                format!("another run works in {}", dir.shown()),
                "wait until it ends, or name another folder: --output DIR",
            )),
            Err(TryLockError::Error(error)) => {
                let what = format!("cannot lock {}", dir.shown());
                return Err(error).context(what).or_exit(Code::NotReady);
            }
        };
        refuse(taken.as_slice())?;
        Ok(OccupiedFolder { made, _lock: lock })
    }
}

impl Drop for OccupiedFolder {
    fn drop(&mut self) {
        for dir in self.made.iter().rev() {
            // a folder that is not empty stays
            drop(fs::remove_dir(dir));
        }
    }
}
