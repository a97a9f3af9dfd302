//! Removes folders, but never what is mounted into them.

use crate::escape::Shown as _;
use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Removes a folder, if it exists. If anything is mounted on it or inside, all of it stays: the mount may
/// be /dev or a disk, and to empty these does more harm than a folder that is left.
///
/// # Errors
/// A mount, which the error names; something in the folder cannot be removed.
pub fn remove(dir: &Path) -> Result<()> {
    let Some(real) = without_links_above(dir)? else { return Ok(()) };
    let mounts = mounts_in(&real)?;
    if !mounts.is_empty() {
        let paths: Vec<String> = mounts.iter().map(|mount| mount.shown().to_string()).collect();
        bail!(
            "{} is not removed, because something is mounted at {}: unmount it first",
            dir.shown(),
            paths.join(", ")
        );
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot remove {}", dir.shown())),
    }
}

/// Mount points at `dir` and below it, the deepest first. `dir` is absolute and has no links in it.
///
/// # Errors
/// The kernel's list of mounts cannot be read.
fn mounts_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    Ok(listed_in(&list, dir))
}

/// The same, from the text of `/proc/PID/mountinfo` (proc(5)).
fn listed_in(mountinfo: &[u8], dir: &Path) -> Vec<PathBuf> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    let mut found: Vec<PathBuf> = lines
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescaped(field))))
        .filter(|mount| mount.starts_with(dir))
        .collect();
    found.sort();
    found.dedup();
    found.reverse();
    found
}

/// The kernel writes blanks, tabs, line ends and backslashes as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let code = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// The path with the folders above resolved. The last component stays, because a link there is removed
/// itself. `None` if nothing is there.
fn without_links_above(dir: &Path) -> Result<Option<PathBuf>> {
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot remove {}", dir.shown()))?,
    };
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    let real = fs::canonicalize(above).with_context(|| format!("cannot find {}", above.shown()))?;
    Ok(Some(dir.file_name().map_or(real.clone(), |name| real.join(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        30 24 0:5 / /x/work/chroot/dev rw shared:2 - devtmpfs udev rw\n\
        31 30 0:22 / /x/work/chroot/dev/pts rw - devpts devpts rw\n\
        32 24 254:0 /srv /x/work-beside rw - ext4 /dev/vda rw\n\
        33 24 254:0 /srv /y/with\\040blank\\134and\\012more rw - ext4 /dev/vda rw\n";

    #[test]
    fn mounts_are_found_at_a_folder_and_below() {
        let found = |dir: &str| listed_in(LIST, Path::new(dir));
        let dev = ["/x/work/chroot/dev/pts", "/x/work/chroot/dev"].map(PathBuf::from);
        assert_eq!(found("/x/work"), dev);
        assert_eq!(found("/x/work/chroot/dev"), dev);
        assert_eq!(found("/x/work-beside"), [Path::new("/x/work-beside")]);
        assert!(found("/x/wor").is_empty());
        assert_eq!(found("/y"), [Path::new("/y/with blank\\and\nmore")]);
    }

    #[test]
    fn a_missing_folder_is_no_error_and_a_link_is_not_followed() {
        let top = std::env::temp_dir().join(format!("xtask-removal-{}", std::process::id()));
        fs::create_dir_all(top.join("real")).unwrap();
        fs::write(top.join("real/mine"), "").unwrap();
        std::os::unix::fs::symlink("real", top.join("link")).unwrap();
        remove(&top.join("link")).unwrap();
        assert!(top.join("real/mine").exists() && !top.join("link").exists());
        remove(&top.join("none")).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
    }
}
