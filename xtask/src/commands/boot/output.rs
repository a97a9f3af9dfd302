//! The folder for screenshots and serial logs.

use super::qemu::{self, Files, SHOTS};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::host::{Host, Owner};
use xtask_core::failure::{Code, OrExit as _, Problem};
use xtask_core::replace::{BOOT_RECORD, shared_problem};

/// Bytes that are written on trial: more than a screenshot has.
const TRIAL: usize = 1 << 20;
pub(super) const FORMAT: &str = BOOT_RECORD.mark;

pub(crate) struct BootOutput {
    dir: PathBuf,
    /// Folders that this run created, outermost first.
    made: Vec<PathBuf>,
    /// Owner to chown results to, unless it is the current user.
    owner: Option<Owner>,
}

/// The problem that the results of these firmwares would replace files of somebody else.
pub(super) fn in_the_way(dir: &Path, names: &[&str]) -> Option<Problem> {
    let of_boot = |name: &&str| all(name);
    let files: Vec<String> =
        names.iter().flat_map(of_boot).chain([BOOT_RECORD.name.into()]).collect();
    shared_problem(dir, &files, BOOT_RECORD)
}

fn screenshot(firmware: &str) -> String {
    format!("{firmware}.png")
}

fn serial_log(firmware: &str) -> String {
    format!("{firmware}.serial.log")
}

/// A picture that was taken on the way.
fn shot(firmware: &str, seconds: u64) -> String {
    format!("{firmware}.{}", qemu::shot(seconds))
}

/// Names of all files that the boot under a firmware may leave.
fn all(firmware: &str) -> Vec<String> {
    let shots = SHOTS.iter().map(|seconds| shot(firmware, *seconds));
    [screenshot(firmware), serial_log(firmware)].into_iter().chain(shots).collect()
}

impl BootOutput {
    /// Creates the folder, and removes the results of an earlier run with the same firmwares.
    pub(crate) fn prepare(dir: &Path, names: &[&str], host: &Host) -> Result<BootOutput> {
        let mut made: Vec<PathBuf> =
            dir.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
        made.reverse();
        let owner = host.is_root().then_some(host.caller);
        let output = BootOutput { dir: dir.to_owned(), made, owner };
        let ready = (|| {
            fs::create_dir_all(dir)?;
            output.made.iter().try_for_each(|dir| output.give(dir))?;
            // checked before the boot, which takes long
            let trial = dir.join(format!(".silvermetal-trial-{}", std::process::id()));
            let mut file = fs::File::create_new(&trial)?;
            let written = file.write_all(&[0; TRIAL]);
            let removed = fs::remove_file(&trial);
            written.and(removed)?;
            for name in names {
                for old in all(name) {
                    match fs::remove_file(dir.join(old)) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
            }
            Ok(())
        })();
        ready
            .with_context(|| format!("cannot write to {} (pass --output DIR)", dir.shown()))
            .or_exit(Code::NotReady)?;
        Ok(output)
    }

    pub(crate) fn screenshot(&self, firmware: &str) -> PathBuf {
        self.dir.join(screenshot(firmware))
    }

    pub(crate) fn serial_log(&self, firmware: &str) -> PathBuf {
        self.dir.join(serial_log(firmware))
    }

    /// Copies the files of a boot. A file that the boot did not write is skipped.
    pub(crate) fn keep(&self, files: &Files, firmware: &str) -> Result<()> {
        let record = self.dir.join(BOOT_RECORD.name);
        if !record.exists() {
            // first, so that the next run may replace whatever this one leaves
            fs::write(&record, format!("{:#}\n", json!({ "format": FORMAT })))
                .and_then(|()| self.give(&record))
                .with_context(|| format!("cannot write {}", record.shown()))?;
        }
        self.copy(&files.serial(), &self.serial_log(firmware))?;
        for seconds in SHOTS {
            self.copy(&files.shot(seconds), &self.dir.join(shot(firmware, seconds)))?;
        }
        self.copy(&files.screenshot(), &self.screenshot(firmware))
    }

    /// Writes the result of the boots.
    pub(crate) fn record(&self, result: &Value) -> Result<()> {
        let path = self.dir.join(BOOT_RECORD.name);
        let part = self.dir.join(format!(".{}.part", BOOT_RECORD.name));
        fs::write(&part, format!("{result:#}\n"))
            .and_then(|()| self.give(&part))
            .and_then(|()| fs::rename(&part, &path))
            .with_context(|| format!("cannot write {}", path.shown()))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        if !from.exists() {
            return Ok(());
        }
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let part = to.with_file_name(format!(".{name}.part"));
        let copied = fs::copy(from, &part)
            .and_then(|_| self.give(&part))
            .and_then(|()| fs::rename(&part, to));
        if copied.is_err() {
            // an error of the copy says more than one of the clean-up
            drop(fs::remove_file(&part));
        }
        copied.with_context(|| format!("cannot write {}", to.shown()))
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some(owner) => lchown(path, Some(owner.uid), Some(owner.gid)),
            None => Ok(()),
        }
    }
}

impl Drop for BootOutput {
    fn drop(&mut self) {
        for dir in self.made.iter().rev() {
            // a folder that is not empty stays
            drop(fs::remove_dir(dir));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::firmware::Firmware;
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir =
            std::env::temp_dir().join(format!("xtask-boot-output-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_run_without_results_leaves_no_folder() {
        let dir = scratch("nothing");
        let host = Host::gather().unwrap();
        drop(BootOutput::prepare(&dir.join("a/b"), &["bios"], &host).unwrap());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir(dir).unwrap();
    }

    #[test]
    fn results_of_an_earlier_run_are_replaced() {
        let dir = scratch("replace");
        let host = Host::gather().unwrap();
        let files = Files::new(&dir, &Firmware::Bios);
        let kept = dir.join("boot");
        fs::create_dir(&kept).unwrap();
        for name in ["bios.png", "bios.serial.log", "uefi.png"] {
            fs::write(kept.join(name), "old").unwrap();
        }
        let output = BootOutput::prepare(&kept, &["bios"], &host).unwrap();
        assert!(!kept.join("bios.png").exists(), "an old screenshot would be misleading");
        assert!(kept.join("uefi.png").exists(), "a result of another firmware stays");
        fs::write(files.serial(), "new").unwrap();
        output.keep(&files, "bios").unwrap();
        assert_eq!(fs::read_to_string(kept.join("bios.serial.log")).unwrap(), "new");
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 3, "no half-written file stays");
        assert_eq!(in_the_way(&kept, &["bios"]), None, "the next boot may replace them");
        drop(output);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_error_for_an_unwritable_folder_names_it_and_the_option() {
        let dir = scratch("file");
        fs::write(dir.join("file"), "").unwrap();
        let host = Host::gather().unwrap();
        let error = BootOutput::prepare(&dir.join("file/boot"), &["bios"], &host).err().unwrap();
        assert_eq!(Code::of(&error), Code::NotReady);
        assert!(error.to_string().contains("file/boot (pass --output DIR)"), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }
}
