//! Upstream's raw image: our kpartx in place of Debian's.

use super::{Folder, Ran, recipe, run};
use crate::support::executable;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::Command;

const SECTOR: u64 = 512;

/// Writes an image with these partitions in an MBR: first sector, number of sectors. Each begins with its text.
/// Source of the format: a partition's entry has 16 bytes, the first at 446; its first sector is at 8, its length
/// at 12, both little-endian; 55 aa ends the sector.
fn image(folder: &Folder, name: &str, partitions: &[(u32, u32, &str)]) -> String {
    let path = folder.0.join(name);
    let file = File::create(&path).unwrap();
    file.set_len(8 << 20).unwrap();
    for (place, (start, sectors, text)) in (446..).step_by(16).zip(partitions) {
        file.write_all_at(&[0x83], place + 4).unwrap();
        file.write_all_at(&start.to_le_bytes(), place + 8).unwrap();
        file.write_all_at(&sectors.to_le_bytes(), place + 12).unwrap();
        file.write_all_at(text.as_bytes(), u64::from(*start) * SECTOR).unwrap();
    }
    if !partitions.is_empty() {
        file.write_all_at(&[0x55, 0xaa], 510).unwrap();
    }
    path.to_str().unwrap().to_owned()
}

/// The loop devices of an image.
fn attached(image: &str) -> Vec<String> {
    let ran = run(Command::new("losetup").args(["--noheadings", "-O", "NAME", "-j", image]));
    ran.stdout.lines().map(|line| line.trim().to_owned()).collect()
}

/// Detaches what a failed test leaves.
struct Detached<'a>(&'a str);

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        for device in attached(self.0) {
            drop(Command::new("losetup").args(["--detach", &device]).status());
        }
    }
}

fn begins(device: &str, text: &str) -> bool {
    let mut found = vec![0; text.len()];
    File::open(device).unwrap().read_exact_at(&mut found, 0).unwrap();
    found == text.as_bytes()
}

#[test]
#[ignore = "needs root and loop devices: cargo xtask test --full"]
fn each_partition_of_an_image_gets_a_node_and_all_are_taken_away_again() {
    let folder = Folder::new("kpartx");
    let nodes = folder.0.join("mapper");
    let script = fs::read_to_string(recipe().join("kpartx")).unwrap();
    assert!(script.contains("/dev/mapper"));
    let script = script.replace("/dev/mapper", nodes.to_str().unwrap());
    executable(&folder.0.join("kpartx"), &script);
    let kpartx =
        |arguments: &[&str]| -> Ran { run(Command::new(folder.0.join("kpartx")).args(arguments)) };
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&nodes)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let raw = image(&folder, "a b.raw", &[(2048, 4096, "the first"), (8192, 8192, "the last")]);
    let _detached = Detached(&raw);

    let added = kpartx(&["-a", "-s", "-v", &raw]).exits(0);
    let devices = attached(&raw);
    assert_eq!(devices.len(), 3, "{devices:?}");
    let disk = names()[0].strip_suffix("p1").unwrap().to_owned();
    assert_eq!(names(), [format!("{disk}p1"), format!("{disk}p2")]);
    assert!(devices.contains(&format!("/dev/{disk}")), "the whole image has a device, too");
    // upstream reads the name out of the last line, and grml-debootstrap out of the first
    let lines: Vec<_> = added.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("add map {disk}p1 (7:")), "{lines:?}");
    assert!(lines[0].ends_with(" 2048") && lines[1].ends_with(" 8192"), "{lines:?}");
    let node = |number: u8| nodes.join(format!("{disk}p{number}")).to_str().unwrap().to_owned();
    assert!(begins(&node(1), "the first") && begins(&node(2), "the last"));
    let size = run(Command::new("blockdev").args(["--getsz", &node(2)])).stdout;
    assert_eq!(size.trim(), "8192", "sectors of the last partition");

    // by one of its loop devices, as unmount-raw does where anything is left
    let deleted = kpartx(&["-d", "-s", "-v", &devices[1]]).exits(0);
    assert_eq!(deleted.stdout.matches("loop deleted : ").count(), 3, "{}", deleted.stdout);
    assert_eq!((attached(&raw).len(), names().len()), (0, 0));

    kpartx(&["-asv", &raw]).exits(0);
    kpartx(&["-d", &raw]).exits(0);
    assert_eq!((attached(&raw).len(), names().len()), (0, 0));
    kpartx(&["-d", &raw]).exits(0); // nothing is left to do
}

#[test]
#[ignore = "needs root and loop devices: cargo xtask test --full"]
fn nothing_is_attached_for_an_image_without_partitions() {
    let folder = Folder::new("kpartx-none");
    let empty = image(&folder, "empty.raw", &[]);
    let _detached = Detached(&empty);
    let kpartx = |arguments: &[&str]| run(Command::new(recipe().join("kpartx")).args(arguments));
    assert_ne!(kpartx(&["-a", &empty]).code, 0);
    assert_eq!(attached(&empty), [""; 0]);
    let missing = folder.0.join("missing");
    kpartx(&["-a", missing.to_str().unwrap()]).exits(1).says("is no image file");
    kpartx(&["-l", &empty]).exits(1).says("expected -a or -d");
    kpartx(&["-a"]).exits(1).says("expected -a or -d and one image");
}
