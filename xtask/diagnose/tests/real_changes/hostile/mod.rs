//! Hostile images: what they hide must be named, as unexplained or as not read, and reading them must end.
//! Each stands beside a date that has a cause, so that what explains one difference cannot hide the other.

mod archives;
mod beside;
mod disks;
mod ext4;
mod iso;
mod one_file;
mod packed;
mod pax;
mod squashfs;

use crate::answer::Answer;
use crate::contents::{self, Build};
use crate::formats;
use crate::kinds::Scratch;
use crate::{say, tools};
use std::fs;
use std::process::Command;

/// Kibibytes of address space and seconds that no pair here needs.
const MEMORY: u64 = 6 << 20;
const SECONDS: &str = "300";

fn stamps() -> [String; 2] {
    [Build::First, Build::Later].map(Build::stamp)
}

/// Something of the pair is unexplained or not read.
#[track_caller]
fn tells(name: &str, a: &[u8], b: &[u8]) {
    let answer: Answer = Scratch::new().diagnose(a, b);
    assert!(!answer.identical, "{name}: said to be identical");
    assert!(!answer.open.is_empty(), "{name}: explained away, or not mentioned: {answer:#?}");
}

/// The same of an image that is made for each side, and changed in B.
#[track_caller]
fn tells_change(name: &str, make: impl Fn(&str) -> Vec<u8>, change: impl Fn(&mut Vec<u8>)) {
    let [a, mut b] = stamps().map(|stamp| make(&stamp));
    change(&mut b);
    tells(name, &a, &b);
}

/// diagnose ends within bounds that are far from what it needs.
#[track_caller]
fn ends(name: &str, a: &[u8], b: &[u8]) {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("a"), a).unwrap();
    fs::write(scratch.0.join("b"), b).unwrap();
    // the checkout may lie at a path with blanks
    let line = format!(
        "ulimit -v {MEMORY}; exec timeout {SECONDS} \"$DIAGNOSE\" diagnose --diffoscope never a b"
    );
    let mut command = Command::new("bash");
    command.args(["-c", &line]).current_dir(&scratch.0);
    let output = command.env("DIAGNOSE", env!("CARGO_BIN_EXE_diagnose")).output().unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(1..=4)), "{name}: {code:?}: {output:?}");
    assert!(!output.stdout.starts_with(b"identical"), "{name}: {output:?}");
}

fn have(program: &str) -> bool {
    let have = tools::installed(&[program]);
    if !have {
        say(&format!("SKIPPED, not installed: {program}"));
    }
    have
}

/// The offset of `needle`.
#[track_caller]
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|part| part == needle).expect("it is there")
}

fn tar(stamp: &str) -> Vec<u8> {
    formats::tar(&[
        ("etc/stamp", stamp.as_bytes()),
        ("usr/bin/find", b"ELF\n"),
        ("etc/last", b"x\n"),
    ])
}

fn cpio(stamp: &str) -> Vec<u8> {
    formats::cpio(&[
        ("etc/stamp", stamp.as_bytes()),
        ("init", b"#!/bin/sh\n"),
        ("etc/last", b"x\n"),
    ])
}

fn zip(stamp: &str) -> Vec<u8> {
    formats::zip(&[("stamp", stamp.as_bytes()), ("x/Main.class", &contents::program())])
}

fn fat(stamp: &str) -> Vec<u8> {
    formats::fat(&[("STAMP.TXT", stamp.as_bytes()), ("GRUB.CFG", b"set timeout=5\n")])
}

fn gpt(stamp: &str) -> Vec<u8> {
    formats::gpt(&[&fat(stamp), &tar(stamp)])
}

fn pe(stamp: &str) -> Vec<u8> {
    let sections: [(&str, &[u8]); 3] = [
        (".osrel", stamp.as_bytes()),
        (".cmdline", b"quiet ro\n"),
        (".linux", &contents::program()),
    ];
    formats::pe(&sections)
}

/// The header of the tar's member at an offset, changed and sealed again.
fn header(tar: &mut [u8], at: usize, change: impl Fn(&mut [u8])) {
    let header = &mut tar[at..at + 512];
    change(header);
    formats::seal(header);
}
