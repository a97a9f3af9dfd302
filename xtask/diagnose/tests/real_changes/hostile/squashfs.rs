//! Changes that the tables and blocks of a squashfs could hide.

use super::{find, have, stamps, tells};
use crate::answer::{Answer, Place};
use crate::formats::TIME;
use crate::kinds::Scratch;
use crate::tools;

/// A squashfs whose tables are not compressed, changed where `find` says.
#[track_caller]
fn squashfs(name: &str, change: impl Fn(&mut Vec<u8>)) {
    let scratch = Scratch::new();
    let [a, mut b] = stamps().map(|stamp| {
        let files: [(&str, &[u8]); 4] = [
            ("etc/stamp", stamp.as_bytes()),
            ("bin/su", b"good\n"),
            ("bin/true", b"x\n"),
            ("var/empty/", b""),
        ];
        let options = ["-noI", "-noD", "-noF", "-no-fragments"];
        tools::squashfs(&scratch.0.join("squashfs"), &options, TIME, &files)
    });
    change(&mut b);
    tells(name, &a, &b);
}

/// The number at an offset of eight bytes.
fn long(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

#[test]
fn what_a_squashfs_does_not_show() {
    if !have("mksquashfs") {
        return;
    }
    // the name of su: place of the inode, number, type, length, name
    let name = |b: &[u8]| find(b, b"\x01\0su");
    squashfs("the number of a name", |b| {
        let at = name(b) - 4;
        b[at] ^= 1;
    });
    squashfs("the type of a name", |b| {
        let at = name(b) - 2;
        b[at] = 3;
    });
    squashfs("an entry of the export table", |b| {
        let blocks = long(b, long(b, 88));
        b.copy_within(blocks + 2..blocks + 10, blocks + 10);
    });
    squashfs("a name that names another inode", |b| {
        let at = name(b) - 6;
        let other = find(b, b"\x03\0true") - 6;
        b.copy_within(other..other + 2, at);
    });
    // Linux looks for a name only as far as the names before it are smaller
    squashfs("names that are not sorted", |b| {
        let at = name(b) - 6;
        b[at..at + 10 + 12].rotate_left(10);
    });
    squashfs("bytes behind the end", |b| {
        let at = b.len() - 3;
        b[at] = b'e';
    });
    squashfs("the count of inodes", |b| b[4] += 1);
    squashfs("more bytes used", |b| b[40] += 1);
    squashfs("fewer bytes used", |b| b[40] -= 1);
    squashfs("the logarithm of the block size", |b| b[22] += 1);
}

/// Offset of the inode of an empty folder: type 1; behind its number the place of its listing, two links, three bytes
/// for `.` and `..`, and the place again.
#[track_caller]
fn empty_folder(image: &[u8]) -> usize {
    let is = |at: &usize| {
        image[*at..].starts_with(&[1, 0]) && image[at + 20..].starts_with(&[2, 0, 0, 0, 3, 0])
    };
    (96..image.len() - 32).find(is).expect("an empty folder")
}

#[test]
fn the_place_of_an_empty_folder() {
    if !have("mksquashfs") {
        return;
    }
    let [from, to] = [16, 26];
    squashfs("another block", |b| {
        let at = empty_folder(b);
        b[at + from] += 1;
    });
    squashfs("where no listing ends", |b| {
        let at = empty_folder(b);
        b[at + to] += 1;
    });
    squashfs("where another listing begins", |b| {
        let at = empty_folder(b);
        assert_ne!(b[at + to..at + to + 2], [0, 0]);
        b[at + to..at + to + 2].fill(0);
    });
    // mksquashfs puts it elsewhere if a listing before it has another length
    let scratch = Scratch::new();
    let [a, b] = ["bin/name", "bin/another-name"].map(|name| {
        let files: [(&str, &[u8]); 2] = [(name, b"x\n"), ("var/empty/", b"")];
        tools::squashfs(&scratch.0.join("squashfs"), &[], TIME, &files)
    });
    let answer: Answer = scratch.diagnose(&a, &b);
    assert!(!answer.open.is_empty());
    let about = |(place, _): &(Place, String)| place.iter().any(|part| part.contains("empty"));
    assert!(!answer.open.iter().any(about), "{answer:#?}");
}

/// Offset of the inode of a file of so many bytes: type 2, its time, and its size behind it.
#[track_caller]
fn inode_of(image: &[u8], size: u32) -> usize {
    let is = |at: &usize| {
        image[*at..].starts_with(&[2, 0])
            && image[at + 8..].starts_with(&TIME.to_le_bytes())
            && image[at + 28..].starts_with(&size.to_le_bytes())
    };
    (96..image.len() - 32).find(is).expect("the inode")
}

#[test]
fn bytes_of_a_block_that_no_file_has() {
    if !have("mksquashfs") {
        return;
    }
    // the end of the last file is cut off in both; there the images differ
    for options in [&["-noI", "-noD", "-noF"][..], &["-noI", "-noD", "-noF", "-no-fragments"]] {
        let scratch = Scratch::new();
        let [a, b] = stamps().map(|stamp| {
            let evil = format!("good\nrest {}", &stamp[stamp.len() - 6..]);
            let files = [("etc/stamp", stamp.as_bytes()), ("etc/x", evil.as_bytes())];
            let mut image = tools::squashfs(&scratch.0.join("squashfs"), options, TIME, &files);
            let at = inode_of(&image, evil.len() as u32) + 28;
            image[at..at + 4].copy_from_slice(&5_u32.to_le_bytes());
            image
        });
        tells(&options.join(" "), &a, &b);
    }
}
