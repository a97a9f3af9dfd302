//! Puts a result in its place: folders that are made beside it, and renamed.

use crate::escape::Shown as _;
use crate::removal::remove;
use crate::replace::{RecordFile, is_result};
use anyhow::{Context as _, Result, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Renames `new` to `place`, and then removes an earlier result there. Anything else there, which came
/// since preflight, is an error.
///
/// # Errors
/// The place holds something else, or a rename fails.
pub fn put_in_place(new: &Path, place: &Path, records: &[RecordFile]) -> Result<()> {
    let replaced = replaced(place);
    if fs::symlink_metadata(place).is_err() {
        fs::rename(new, place).with_context(|| format!("cannot make {}", place.shown()))?;
        // the result of a run that was killed between two renames
        return if is_result(&replaced, records) { remove(&replaced) } else { Ok(()) };
    }
    for folder in [place, &replaced] {
        if folder.exists() && !is_result(folder, records) {
            bail!("{} is no earlier result: it is not replaced", folder.shown());
        }
    }
    remove(&replaced)?;
    // at no moment there is none of the two
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => remove(new),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            by_two_renames(new, place, &replaced)
        }
        Err(error) => Err(error).with_context(|| format!("cannot replace {}", place.shown())),
    }
}

/// The same on a file system that cannot exchange two folders (NFS, most of FUSE). If the run is killed
/// between the renames, a sweep finds the earlier result beside its place.
fn by_two_renames(new: &Path, place: &Path, replaced: &Path) -> Result<()> {
    fs::rename(place, replaced).with_context(|| format!("cannot replace {}", place.shown()))?;
    if let Err(error) = fs::rename(new, place) {
        fs::rename(replaced, place).context("cannot restore the earlier result")?;
        return Err(error).with_context(|| format!("cannot make {}", place.shown()));
    }
    remove(replaced)
}

/// Beginning of the name of an earlier result while a new one takes its place by two renames.
pub const REPLACED: &str = ".replaced-";

/// Folder of an earlier result while a new one takes its place by two renames.
pub fn replaced(place: &Path) -> PathBuf {
    beside(place, REPLACED)
}

/// Folder beside another one, with this beginning before its name.
pub fn beside(place: &Path, prefix: &str) -> PathBuf {
    let mut name = OsString::from(prefix);
    name.push(place.file_name().unwrap_or_default());
    place.with_file_name(name)
}

/// Folder that becomes `place` when it is complete. Its name is always the same, so that the next run
/// removes what a killed one left.
pub fn part(place: &Path) -> PathBuf {
    let mut part = beside(place, ".").into_os_string();
    part.push(".silvermetal-part");
    part.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_cannot_exchange_folders_replaces_them_by_two_renames() {
        let top = std::env::temp_dir().join(format!("xtask-renames-{}", std::process::id()));
        let [new, place] = ["new", "place"].map(|name| top.join(name));
        for (dir, text) in [(&new, "new"), (&place, "old")] {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join("x"), text).unwrap();
        }
        by_two_renames(&new, &place, &replaced(&place)).unwrap();
        assert_eq!(fs::read_to_string(place.join("x")).unwrap(), "new");
        // a second rename that fails brings the earlier result back
        by_two_renames(&new, &place, &replaced(&place)).unwrap_err();
        assert_eq!(fs::read_to_string(place.join("x")).unwrap(), "new");
        assert!(!new.exists() && !replaced(&place).exists());
        fs::remove_dir_all(top).unwrap();
    }
}
