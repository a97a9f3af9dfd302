//! A temporary folder for the files of a running QEMU: socket, firmware variables, raw logs.

use anyhow::{Context as _, Result};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::hash;

const PREFIX: &str = "silvermetal-boot-";
const LOCK: &str = "lock";
/// Most bytes of the parent folder's path: a socket's path has at most 107 bytes in all.
const LONGEST_BASE: usize = 50;

/// The folder: private to its user, locked while its run lives, removed when dropped.
pub(crate) struct RuntimeDir {
    path: PathBuf,
    /// Held, so that [`sweep`] can tell a live run from a killed one.
    _lock: File,
}

/// The folder for temporary files, or /tmp if its path is too long for a socket.
pub(crate) fn base() -> PathBuf {
    let dir = std::env::temp_dir();
    if dir.is_absolute() && dir.as_os_str().len() <= LONGEST_BASE {
        dir
    } else {
        PathBuf::from("/tmp")
    }
}

/// Path of the folder for a run that writes to `output`. The same output gives the same path, so
/// that a dry run can name it and a second run notices the first.
pub(crate) fn place(base: &Path, output: &Path) -> PathBuf {
    let hash = hash::bytes(output.as_os_str().as_bytes());
    base.join(format!("{PREFIX}{}", &hash.hex()[..12]))
}

impl RuntimeDir {
    pub(crate) fn create(path: &Path) -> Result<RuntimeDir> {
        let made = DirBuilder::new().mode(0o700).create(path).and_then(|()| {
            let lock = File::create(path.join(LOCK))?;
            lock.lock()?;
            Ok(lock)
        });
        let what = || match &made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                format!(
                    "another boot writes to the same output (if none does, remove {})",
                    path.shown()
                )
            }
            _ => format!("cannot make {}", path.shown()),
        };
        let what = what();
        let lock = made.context(what).or_exit(Code::NotReady)?;
        Ok(RuntimeDir { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        // if this fails, the next run sweeps it: the lock is free then
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Removes the folders that killed runs of user `uid` left in `base`.
pub(crate) fn sweep(base: &Path, uid: u32) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == uid);
        if ours && !is_live(&entry.path()) {
            // a leftover takes half a megabyte: not worth failing a boot
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

fn is_live(dir: &Path) -> bool {
    File::open(dir.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_fits_however_deep_the_output_is() {
        let deep = PathBuf::from(format!("/{}", "deep/".repeat(100)));
        let place = place(&Path::new("/").join("x".repeat(LONGEST_BASE - 1)), &deep);
        assert!(place.join("uefi.monitor").as_os_str().len() < 108, "{}", place.shown());
        assert_ne!(place, super::place(place.parent().unwrap(), Path::new("/other")));
    }

    #[test]
    fn the_sweep_removes_only_folders_of_killed_runs() {
        let base = std::env::temp_dir().join(format!("xtask-boot-runtime-{}", std::process::id()));
        fs::create_dir_all(base.join("silvermetal-boot-dead")).unwrap();
        fs::create_dir_all(base.join("not-ours")).unwrap();
        let path = place(&base, Path::new("/out"));
        let live = RuntimeDir::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        let error = RuntimeDir::create(&path).err().unwrap();
        assert!(error.to_string().starts_with("another boot writes to the same output"), "{error}");

        let me = fs::metadata("/proc/self").unwrap().uid();
        sweep(&base, me);
        assert!(
            path.exists()
                && base.join("not-ours").exists()
                && !base.join("silvermetal-boot-dead").exists()
        );
        drop(live);
        assert!(!path.exists());
        fs::remove_dir_all(base).unwrap();
    }
}
