//! Whatever bit of an image differs, something differs in what is told of it, or it cannot be read: none
//! changes without a word.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use diskimage::source::Bytes;
use diskimage::{Budget, Shared};
use std::sync::Arc;
use support::{describe, fixture};

/// All that is told of an image; `None` if it cannot be read.
fn told(bytes: Vec<u8>) -> Option<String> {
    let budget = Budget::for_size(bytes.len() as u64);
    let source: Shared = Arc::new(Bytes(bytes));
    describe(&source, &budget).ok()
}

/// Changes every bit of some bytes, each by itself; `seal` then makes the image's own checksum right.
#[track_caller]
fn is_told(name: &str, image: &[u8], places: impl Iterator<Item = usize>, seal: fn(&mut [u8])) {
    let plain = told(image.to_vec());
    assert!(plain.is_some(), "{name}");
    let mut silent = Vec::new();
    for at in places {
        for bit in 0..8 {
            let mut bent = image.to_vec();
            bent[at] ^= 1 << bit;
            seal(&mut bent);
            if bent != image && told(bent) == plain {
                silent.push((at, bit));
            }
        }
    }
    assert!(silent.is_empty(), "{name}: byte and bit: {silent:?}");
}

#[track_caller]
fn of_fixture(name: &str, places: impl IntoIterator<Item = usize>) {
    is_told(name, &fixture(name), places.into_iter(), |_| ());
}

#[test]
fn of_a_debian_package() {
    of_fixture("small.deb", 0..736);
}

/// All but compressed bytes, of which several may mean one content.
#[test]
fn of_a_zip() {
    of_fixture("small.zip", (0..300).chain(19_814..20_325));
}

/// The boot sector, the root with a label, a folder with a long name.
#[test]
fn of_a_fat() {
    of_fixture("fat12.img", (0..64).chain(1536..1632).chain(3584..3776));
}

/// The partition table.
#[test]
fn of_a_disk() {
    of_fixture("disk.img", 436..512);
}

/// A volume descriptor, and the records of a folder and its parent.
#[test]
fn of_an_iso() {
    let descriptor = (32_768..32_784).chain(32_840..32_970).chain(33_600..33_660);
    of_fixture("hybrid.iso", descriptor.chain(47_104..47_240));
}

const HOLE: std::ops::Range<usize> = 19_729..19_737;
const ROOT: std::ops::Range<usize> = 20_044..20_076;

/// The superblock; the inodes, names and attributes, which are not compressed.
#[test]
fn of_a_squashfs() {
    // but for the place of a file that is one hole, and the root's own inode, which is told apart
    let tables = (19_535..20_432).filter(|at| !HOLE.contains(at) && !ROOT.contains(at));
    of_fixture("plain.squashfs", (0..96).chain(tables));
}

/// The header of the first member; its checksum is made right, so that it hides nothing.
#[test]
fn of_a_tar() {
    let seal = |tar: &mut [u8]| {
        tar[148..156].fill(b' ');
        let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
        tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    };
    for name in ["gnu.tar", "pax.tar"] {
        let mut tar = fixture(name);
        seal(&mut tar);
        is_told(name, &tar, 0..512, seal);
    }
}

/// The first archive of an initramfs, which is not compressed, and the header of the second.
#[test]
fn of_a_cpio() {
    of_fixture("initramfs.img", (0..512).chain(1024..1034));
}
