//! The structures of an ext4: each difference is named with the structure that it is in, and what was
//! recomputed follows.

use super::{find, have, stamps};
use crate::kinds::Scratch;
use crate::tools;
use std::fs;
use std::process::Command;

/// Makes a file system with these files, and changes it in B.
#[track_caller]
fn names(structure: &str, change: impl Fn(&mut Vec<u8>)) {
    let scratch = Scratch::new();
    let [a, mut b] = stamps().map(|stamp| {
        let files: [(&str, &[u8]); 3] =
            [("etc/stamp", stamp.as_bytes()), ("bin/su", b"good\n"), ("bin/trues", b"x\n")];
        tools::ext4(&scratch.0.join("ext4"), &files)
    });
    change(&mut b);
    let answer = scratch.diagnose(&a, &b);
    let named = answer.open.iter().any(|(place, _)| place.last().is_some_and(|x| x == structure));
    assert!(named, "{structure} is not named: {answer:#?}");
}

fn number(image: &[u8], at: usize) -> usize {
    u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize
}

/// Offset of a block that the descriptor of the first group names.
fn block(image: &[u8], at: usize) -> usize {
    let len = 1024 << number(image, 1024 + 24);
    number(image, group(image) + at) * len
}

/// Offset of the descriptor of the first group.
fn group(image: &[u8]) -> usize {
    let len = 1024 << number(image, 1024 + 24);
    (number(image, 1024 + 20) + 1) * len
}

/// Offset of an inode.
fn inode(image: &[u8], number: usize) -> usize {
    block(image, 8)
        + (number - 1) * usize::from(image[1024 + 88])
        + (number - 1) * 256 * usize::from(image[1024 + 89])
}

#[test]
fn every_structure_has_a_name() {
    if !have("mke2fs") {
        return;
    }
    names("[boot block]", |b| b[100] ^= 1);
    names("[superblock]", |b| b[1024 + 0x54] ^= 0x80);
    names("[superblock]", |b| b[1024 + 12] ^= 1);
    names("[group descriptors]", |b| {
        let at = group(b) + 0x12;
        b[at] ^= 4;
    });
    names("[group descriptors]", |b| {
        let at = group(b) + 0x0c;
        b[at] ^= 1;
    });
    names("[block bitmaps]", |b| {
        let at = block(b, 0) + 60;
        b[at] ^= 1;
    });
    names("[inode bitmaps]", |b| {
        let at = block(b, 4) + 2;
        b[at] ^= 0x80;
    });
    // the second half of the attributes, which Linux keeps for itself
    names("[inode tables]", |b| {
        let at = inode(b, 12) + 126;
        b[at] ^= 1;
    });
    // a deleted file
    names("[inodes of no file]", |b| {
        let at = inode(b, 40) + 4;
        b[at] = 9;
    });
    names("[rest of the folders]", |b| {
        let at = find(b, b"trues") + 5;
        b[at] ^= 1;
    });
    names("[unused blocks]", |b| {
        let at = b.len() - 3000;
        b[at] = b'e';
    });
    // behind the end of a file, in its last block
    names("[unused blocks]", |b| {
        let at = find(b, b"good\n") + 100;
        b[at] = b'e';
    });
    names("[unused blocks]", |b| b.extend(b"evil"));
}

#[test]
fn what_was_recomputed_follows() {
    if !have("mke2fs") || !have("tune2fs") {
        return;
    }
    let scratch = Scratch::new();
    let files: Vec<(String, String)> =
        (0..40).map(|n| (format!("etc/{n}"), format!("{n}\n"))).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    // without a seed of its own, each checksum depends on the UUID; with one, it stays (mke2fs 1.47's default)
    for seed in ["^metadata_csum_seed", "metadata_csum_seed"] {
        let features = format!("^has_journal,metadata_csum,{seed}");
        let a = tools::ext4_with(&features, &scratch.0.join("ext4"), &files);
        let other = scratch.0.join("other");
        fs::write(&other, &a).unwrap();
        let id = "c1f0a293-52e6-4b07-9d3a-e85b7f216d40";
        let done = Command::new("tune2fs").args(["-U", id]).arg(&other).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        let answer = scratch.diagnose(&a, &fs::read(&other).unwrap());
        assert!(answer.open.is_empty() && !answer.contents_differ, "{seed}: {answer:#?}");
        assert!(answer.causes.iter().any(|(id, _)| id == "file-system-ids"), "{answer:#?}");
    }
}

#[test]
fn a_longer_file_changes_no_structure_that_does_not_follow() {
    if !have("mke2fs") {
        return;
    }
    let scratch = Scratch::new();
    let [a, b] = ["x\n".to_owned(), "y\n".repeat(3000)].map(|text| {
        let files: [(&str, &[u8]); 2] = [("etc/x", text.as_bytes()), ("etc/y", b"y\n")];
        tools::ext4(&scratch.0.join("ext4"), &files)
    });
    let answer = scratch.diagnose(&a, &b);
    let places: Vec<&str> =
        answer.open.iter().filter_map(|(place, _)| Some(place.last()?.as_str())).collect();
    assert_eq!(places, ["etc/x"], "{answer:#?}");
}
