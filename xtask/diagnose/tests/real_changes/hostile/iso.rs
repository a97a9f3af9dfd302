//! Changes that the tables of an ISO could hide.

use super::{find, have, stamps, tells};
use crate::formats::TIME;
use crate::kinds::Scratch;
use crate::tools;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn what_an_iso_does_not_show() {
    if !have("xorriso") {
        return;
    }
    let scratch = Scratch::new();
    let [a, b] = stamps().map(|stamp| {
        let grub = b"set timeout=5\n";
        let files = [("etc/stamp", stamp.as_bytes()), ("boot/grub/grub.cfg", &grub[..])];
        tools::iso(&scratch.0.join("iso"), &files)
    });
    let word = |at: usize| u32::from_le_bytes(b[at..at + 4].try_into().unwrap()) as usize;
    let primary = 16 * 2048;
    // the tables of paths for either order of bytes
    let [little, big] = [word(primary + 140) * 2048, {
        let at = primary + 148;
        u32::from_be_bytes(b[at..at + 4].try_into().unwrap()) as usize * 2048
    }];
    let changed = |name: &str, at: usize, bit: u8| {
        let mut b = b.clone();
        b[at] ^= bit;
        tells(name, &a, &b);
    };
    changed("a path table", little + 5, 1);
    changed("a path table of the other order", big + 5, 1);
    changed("the length of a path table", primary + 132, 0x40);
    changed("the length of a path table in the other order", primary + 139, 0x40);
    changed("a set of volumes", primary + 120, 2);
    let record = find(&b, b"GRUB.CFG;1") - 33;
    changed("flags of a record", record + 25, 1);
    changed("interleaving of a record", record + 26, 4);
    changed("a volume of a record", record + 28, 2);
    changed("a size in one order of bytes", record + 17, 1);
    changed("an extent in one order of bytes", record + 9, 1);
}

/// An ISO with an HFS+ for Macs over the same files.
fn hfsplus(dir: &Path, serial: &str) -> Vec<u8> {
    fs::create_dir_all(dir.join("root/boot")).unwrap();
    fs::write(dir.join("root/boot/x"), "x\n").unwrap();
    let (root, image) = (dir.join("root"), dir.join("image"));
    let mut command = Command::new("xorriso");
    command.args(["-as", "mkisofs", "-quiet", "-r", "-hfsplus", "-hfsplus-serial-no", serial]);
    command.args(["--modification-date=2026052820264000"]);
    // the two images may be made in different seconds
    command.args(["--set_all_file_dates", "2026052820264000", "-o"]).args([&image, &root]);
    let output = command.env("SOURCE_DATE_EPOCH", TIME.to_string()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read(image).unwrap()
}

#[test]
fn a_byte_beside_the_serial_number_of_an_hfsplus() {
    if !have("xorriso") {
        return;
    }
    let scratch = Scratch::new();
    let [a, b] = ["aabbccddeeff0011", "1122334455667788"]
        .map(|serial| hfsplus(&scratch.0.join("hfsplus"), serial));
    let answer = scratch.diagnose(&a, &b);
    assert!(answer.open.is_empty(), "{answer:#?}");
    let header = find(&b, b"H+\0\x04");
    // who mounted it, a folder to open, a fork, and a node of the catalogue
    for at in [0x20, 90, 300, 3 * 4096] {
        let mut b = b.clone();
        b[header + at] ^= 1;
        tells("a byte of an HFS+", &a, &b);
    }
}
