//! A byte that differs beside another difference is told, too: none is lost because something else was
//! told of its layer.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::tests::{compare, fixture, lines};

/// Bytes between two that are tried outside of the ranges.
const STEP: usize = 997;

/// Changes bits of an image, each beside the bit at `known`, which is told as one difference of a file that has up
/// to two names.
#[track_caller]
fn is_told(name: &str, known: (usize, u32), places: impl Iterator<Item = usize>) {
    let image = fixture(name);
    let mut other = image.clone();
    other[known.0] ^= 1 << known.1;
    let told = compare(&image, &other);
    assert!((1..=2).contains(&told.len()), "{name}: {:?}", lines(&told));
    let sampled = (0..image.len()).step_by(STEP);
    let mut silent = Vec::new();
    for at in places.chain(sampled).filter(|at| *at != known.0) {
        let mut bent = other.clone();
        bent[at] ^= 1 << (at % 8);
        if compare(&image, &bent) == told {
            silent.push((at, at % 8));
        }
    }
    assert!(silent.is_empty(), "{name}: byte and bit: {silent:?}");
}

#[test]
fn another_byte_of_an_archive() {
    is_told("small.deb", (29, 0), 0..200);
    is_told("small.zip", (897, 3), (0..100).chain(19_814..19_900));
    is_told("gnu.tar", (3064, 0), 0..512);
    is_told("pax.tar", (34_103, 5), 0..512);
}

/// Folders, whose links are counted; the header of a stream; its bytes, which mean the same content.
#[test]
fn another_byte_of_an_initramfs() {
    is_told("initramfs.img", (481, 1), (0..240).chain(1024..1060).chain(7130..7160));
    is_told("cpio.gz", (4, 1), (0..20).chain(9330..9350));
}

#[test]
fn another_byte_of_a_disk() {
    is_told("fat12.img", (8322, 6), (0..64).chain(1536..1568).chain(3584..3648));
    is_told("disk.img", (18_260, 6), 440..512);
    is_told("hybrid.iso", (110_330, 0), (32_768..32_784).chain(47_104..47_150));
    is_told("ext4.img", (51_028, 6), 1024..1100);
}

/// The inodes, names and attributes, which are not compressed.
#[test]
fn another_byte_of_a_squashfs() {
    // but for the place of a file that is one hole
    is_told("plain.squashfs", (2920, 0), (0..96).chain(19_535..19_729).chain(19_737..20_432));
}
