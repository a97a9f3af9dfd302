//! A small file system for one test, which it can fill or make read-only.

use super::run;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system. Dropping it unmounts it and frees the loop device.
pub struct Disk {
    pub dir: PathBuf,
}

impl Disk {
    /// Makes an ext4 of `mib` MiB, mounted on a new folder beside `beside`.
    pub fn new(beside: &Path, mib: u64) -> Disk {
        let image = beside.with_file_name("disk.img");
        let dir = beside.with_file_name("disk");
        fs::create_dir_all(&dir).unwrap();
        fs::File::create(&image).unwrap().set_len(mib << 20).unwrap();
        // -m 0 reserves no blocks, so that root can write no more than others
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image)).exits(0);
        run(Command::new("mount").args(["-o", "loop"]).args([&image, &dir])).exits(0);
        fs::remove_dir(dir.join("lost+found")).unwrap();
        Disk { dir }
    }

    pub fn make_read_only(&self) {
        run(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.dir)).exits(0);
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let umount = |flag: &[&str]| {
            let status = Command::new("umount").args(flag).arg(&self.dir).status();
            status.is_ok_and(|status| status.success())
        };
        // a failed test may have left a process in it
        let _ = umount(&[]) || umount(&["--lazy"]);
    }
}
