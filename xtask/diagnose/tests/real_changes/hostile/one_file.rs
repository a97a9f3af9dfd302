//! Members of an archive, and entries of a folder, that are one file for whoever unpacks or opens them: their
//! order decides which of them it is.

use super::{fat, header, stamps, tells};
use crate::answer::Answer;
use crate::formats;
use crate::kinds::Scratch;

/// Makes an archive.
type Make = for<'t> fn(&'t [(&'t str, &'t [u8])]) -> Vec<u8>;

/// Archives of these files, the last two of which change places in B.
fn exchanged(
    files: &[(&str, &[u8])],
    make: impl for<'t> Fn(&'t [(&'t str, &'t [u8])]) -> Vec<u8>,
) -> [Vec<u8>; 2] {
    let [stamp_a, stamp_b] = stamps();
    let with = |stamp: &str, files: &[(&str, &[u8])]| {
        let stamp = ("stamp", stamp.as_bytes());
        make(&[&[stamp], files].concat())
    };
    let mut other = files.to_vec();
    let last = other.len() - 1;
    other.swap(last - 1, last);
    [with(&stamp_a, files), with(&stamp_b, &other)]
}

#[test]
fn two_names_of_one_path() {
    for other in ["/etc/x", "etc//x", "etc/./x", "usr/../etc/x"] {
        let files: [(&str, &[u8]); 2] = [("etc/x", b"good\n"), (other, b"evil\n")];
        let makes: [Make; 3] = [formats::tar, formats::cpio, formats::zip];
        for make in makes {
            let [a, b] = exchanged(&files, make);
            tells(other, &a, &b);
        }
    }
    let [a, b] = exchanged(&[("etc/x", b"one\n"), ("etc/y", b"two\n")], formats::tar);
    let answer: Answer = Scratch::new().diagnose(&a, &b);
    assert!(answer.open.is_empty(), "an order that means nothing: {answer:#?}");
}

/// The member at `at` of a tar, made a link.
fn link(tar: &mut [u8], name: &[u8], kind: u8, target: &[u8]) {
    let at = (0..tar.len()).step_by(512).find(|at| tar[*at..].starts_with(name)).unwrap();
    header(tar, at, |header| {
        header[156] = kind;
        header[157..157 + target.len()].copy_from_slice(target);
    });
}

#[test]
fn a_name_behind_a_link() {
    let files: [(&str, &[u8]); 3] = [("lib", b""), ("lib/x", b"good\n"), ("usr/lib/x", b"evil\n")];
    let [a, b] = exchanged(&files, |files| {
        let mut tar = formats::tar(files);
        link(&mut tar, b"lib\0", b'2', b"usr/lib");
        tar
    });
    tells("a file and a link to its folder", &a, &b);
    let [a, b] = exchanged(&[("x", b"good\n"), ("y", b"")], |files| {
        let mut tar = formats::tar(files);
        link(&mut tar, b"y\0", b'1', b"x");
        tar
    });
    tells("a hard link before its file", &a, &b);
}

#[test]
fn two_names_that_differ_in_case() {
    let [a, b] = stamps().map(|stamp| {
        let mut image = fat(&stamp);
        for name in [&b"STAMP   TXT"[..], b"GRUB    CFG"] {
            let at = super::find(&image, name);
            image[at..at + 11].copy_from_slice(b"GRUB    CFG");
            // in lower case
            image[at + 12] = if name.starts_with(b"S") { 0x18 } else { 0 };
        }
        image
    });
    let mut other = b.clone();
    let at = super::find(&b, b"GRUB    CFG");
    let entries = [b[at..at + 32].to_vec(), b[at + 32..at + 64].to_vec()];
    other[at..at + 64].copy_from_slice(&[entries[1].clone(), entries[0].clone()].concat());
    tells("two names of a FAT", &a, &other);
}

/// Two tars in which the lines of `aaa/list` are in another order, which is harmless there, and in which the other
/// names are hard links to it.
fn lines_in_another_order(others: &[&str]) -> [Vec<u8>; 2] {
    let stamps = stamps();
    [0, 1].map(|side| {
        let list: &[u8] = [&b"x\ny\n"[..], b"y\nx\n"][side];
        let mut files: Vec<(&str, &[u8])> =
            vec![("stamp", stamps[side].as_bytes()), ("aaa/list", list)];
        files.extend(others.iter().map(|name| (*name, &b""[..])));
        let mut tar = formats::tar(&files);
        for name in others {
            let name = format!("{name}\0");
            link(&mut tar, name.as_bytes(), b'1', b"aaa/list");
        }
        tar
    })
}

#[test]
fn a_harmless_name_before_one_that_decides() {
    let [a, b] = lines_in_another_order(&["etc/sudoers"]);
    tells("a hard link", &a, &b);
    let [a, b] = lines_in_another_order(&["bbb/list"]);
    let answer: Answer = Scratch::new().diagnose(&a, &b);
    assert!(answer.open.is_empty(), "both names are harmless: {answer:#?}");
}

#[test]
fn more_names_of_one_file_than_are_looked_at() {
    let names: Vec<String> = (0..40).map(|number| format!("bbb/{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["etc/sudoers"]).collect();
    let [a, b] = lines_in_another_order(&names);
    let answer: Answer = Scratch::new().diagnose(&a, &b);
    assert!(answer.not_read.contains(&vec!["etc/sudoers".to_owned()]), "{answer:#?}");
    assert!(!answer.not_read.contains(&vec!["bbb/00".to_owned()]), "{answer:#?}");
}
