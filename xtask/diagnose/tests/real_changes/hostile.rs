//! Hostile images: what they hide must be named, as unexplained or as not read, and reading them must end.
//! Each stands beside a date that has a cause, so that what explains one difference cannot hide the other.

use crate::answer::Answer;
use crate::contents::{self, Build};
use crate::formats::{self, Compressor, TIME};
use crate::kinds::Scratch;
use crate::{say, tools};
use std::fs;
use std::process::Command;

/// Kibibytes of address space and seconds that no pair here needs.
const MEMORY: u64 = 6 << 20;
const SECONDS: &str = "300";

/// Makes an image with a date in it.
type Make = fn(&str) -> Vec<u8>;

/// Makes an archive of one member.
type Wrap = fn(&[u8]) -> Vec<u8>;

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
    let line = format!(
        "ulimit -v {MEMORY}; exec timeout {SECONDS} {} diagnose --diffoscope never a b",
        env!("CARGO_BIN_EXE_diagnose")
    );
    let output = Command::new("bash").args(["-c", &line]).current_dir(&scratch.0).output().unwrap();
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

#[test]
fn links_that_lead_elsewhere() {
    // a hard link to the file before, one to the stamp, one that leads out
    for target in ["etc/stamp", "../../etc/passwd"] {
        tells_change("a tar's hard link", tar, |b| {
            header(b, 2048, |header| {
                header[156] = b'1';
                header[157..157 + target.len()].copy_from_slice(target.as_bytes());
                header[124..135].copy_from_slice(b"00000000000");
            });
        });
    }
    // Linux makes these one file, and the last content is that of both
    tells_change("a cpio's hard link", cpio, |b| {
        for name in ["init\0", "etc/last"] {
            let at = find(b, name.as_bytes()) - 110;
            b[at + 6..at + 14].copy_from_slice(b"00000002");
            b[at + 38..at + 46].copy_from_slice(b"00000002");
        }
    });
    tells_change("a member of a cpio that is a link", cpio, |b| {
        let at = find(b, b"etc/last") - 110;
        b[at + 14..at + 22].copy_from_slice(b"0000A1FF");
    });
    tells_change("a member of a zip that is a link", zip, |b| {
        let at = find(b, b"PK\x01\x02");
        b[at + 38..at + 42].copy_from_slice(&(0o120_777_u32 << 16).to_le_bytes());
    });
}

#[test]
fn lengths_that_disagree() {
    tells_change("a tar's size in base 256", tar, |b| {
        header(b, 2048, |header| {
            header[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
        });
    });
    tells_change("a size in the zip's local header alone", zip, |b| b[22] ^= 1);
    tells_change("a size in the zip's directory alone", zip, |b| {
        let at = find(b, b"PK\x01\x02");
        b[at + 24] ^= 1;
    });
    tells_change("a file of a FAT that is shorter", fat, |b| {
        let at = find(b, b"GRUB    CFG");
        b[at + 28] -= 2;
    });
    tells_change("a section that is longer in memory", pe, |b| {
        let at = find(b, b".cmdline");
        b[at + 8] += 3;
    });
    tells_change("a section that starts elsewhere", pe, |b| {
        let at = find(b, b".cmdline");
        b[at + 21] += 2;
    });
}

#[test]
fn bytes_after_the_end() {
    let makes: [(&str, Make); 6] =
        [("tar", tar), ("cpio", cpio), ("zip", zip), ("fat", fat), ("gpt", gpt), ("pe", pe)];
    for (name, make) in makes {
        tells_change(name, make, |b| b.extend(b"evil"));
        // behind a page of zeros
        tells_change(name, make, |b| {
            b.resize(b.len() + 4096, 0);
            b.extend(b"evil");
        });
    }
    for compressor in
        [Compressor::Gzip, Compressor::Xz, Compressor::Zstd, Compressor::Bzip2, Compressor::Lz4]
    {
        tells_change("a stream", |stamp| compressor.pack(stamp.as_bytes()), |b| b.extend(b"evil"));
    }
    tells_change("a comment of a zip", zip, |b| {
        let at = b.len() - 2;
        b[at] = 4;
        b.extend(b"evil");
    });
}

#[test]
fn boot_code_and_tables_of_disks() {
    for (at, what) in [
        (100, "boot code"),
        (444, "the copy-protection mark"),
        (447, "the first head of the protective entry"),
        (512 + 20, "reserved bytes of the header"),
        (512 + 100, "bytes behind the header"),
        (1024 + 48, "flags of a partition"),
        (1024 + 56 + 20, "a name behind its end"),
        (1024 + 5 * 128 + 40, "an entry of no partition"),
    ] {
        tells_change(what, gpt, |b| b[at] ^= 4);
    }
    tells_change("the backup's header", gpt, |b| {
        let at = b.len() - 512 + 60;
        b[at] ^= 1;
    });
    tells_change("the backup's table", gpt, |b| {
        let at = b.len() - 512 - 16_384 + 130;
        b[at] ^= 1;
    });
    for (at, what) in [(70, "boot code of a FAT"), (12 * 512 + 300, "the second table of a FAT")] {
        tells_change(what, fat, |b| b[at] ^= 0x40);
    }
    for (at, what) in [
        (14, "reserved sectors"),
        (24, "sectors of a track"),
        (26, "heads"),
        (33, "a second count of sectors"),
        (36, "the number of the drive"),
        (38, "the mark of a serial number"),
    ] {
        tells_change(what, fat, |b| b[at] ^= 1);
    }
    tells_change("a deleted file of a FAT", fat, |b| {
        let at = 19 * 512 + 5 * 32;
        b[at..at + 11].copy_from_slice(b"\xe5VIL    SH ");
    });
    tells_change("bytes in a free cluster", fat, |b| {
        let at = b.len() - 700;
        b[at..at + 4].copy_from_slice(b"evil");
    });
}

#[test]
fn headers_that_nothing_reads() {
    tells_change("a tar's old fields", tar, |b| header(b, 2048, |header| header[500] = b'e'));
    tells_change("a tar's user name", tar, |b| {
        header(b, 2048, |header| header[265..269].copy_from_slice(b"evil"));
    });
    tells_change("padding of a tar", tar, |b| {
        let at = find(b, b"x\n\0\0") + 100;
        b[at] = b'e';
    });
    tells_change("a cpio's checksum", cpio, |b| {
        let at = find(b, b"etc/last") - 110;
        b[at + 102..at + 110].copy_from_slice(b"DEADBEEF");
    });
    tells_change("more bits than a mode in a cpio has", cpio, |b| {
        let at = find(b, b"etc/last") - 110;
        b[at + 14] = b'1';
    });
    tells_change("a device number of a file in a cpio", cpio, |b| {
        let at = find(b, b"init\0") - 110;
        b[at + 78..at + 86].copy_from_slice(b"00000008");
    });
    tells_change("the stub of a PE", pe, |b| b[8] = b'e');
    tells_change("the entry point of a PE", pe, |b| b[64 + 24 + 16] ^= 1);
    tells_change("flags of a section", pe, |b| {
        let at = find(b, b".linux");
        b[at + 39] ^= 0x80;
    });
    tells_change("a checksum of a PE that is wrong", pe, |b| b[64 + 24 + 64] = 7);
}

#[test]
fn decoders_after_an_error() {
    let damaged = |compressor: Compressor, at: usize| {
        let mut second = compressor.pack(contents::manual().as_bytes());
        let at = second.len() / 2 + at;
        second[at..at + 8].fill(0xff);
        [compressor.pack(b"x\n"), second].concat()
    };
    for compressor in
        [Compressor::Gzip, Compressor::Xz, Compressor::Zstd, Compressor::Bzip2, Compressor::Lz4]
    {
        let [a, b] = [0, 20].map(|at| damaged(compressor, at));
        tells("a damaged stream", &a, &b);
        // whole in A
        let second = compressor.pack(contents::manual().as_bytes());
        let whole = [compressor.pack(b"x\n"), second].concat();
        tells("a damaged stream beside a whole one", &whole, &b);
    }
    tells_change(
        "a frame that is skipped",
        |stamp| Compressor::Zstd.pack(stamp.as_bytes()),
        |b| b.extend(b"\x50\x2a\x4d\x18\x04\0\0\0evil"),
    );
}

#[test]
fn layers_without_an_end() {
    let nested = |make: Wrap, inner: &[u8]| (0..60).fold(inner.to_vec(), |inner, _| make(&inner));
    let makes: [(&str, Wrap); 3] = [
        ("tar", |inner| formats::tar(&[("x", inner)])),
        ("zip", |inner| formats::zip(&[("x", inner)])),
        ("gzip", |inner| Compressor::Gzip.pack(inner)),
    ];
    for (name, make) in makes {
        let [a, b] = [&b"good\n"[..], b"evil\n"].map(|inner| nested(make, inner));
        tells(name, &a, &b);
    }
    // folders in folders, 300 deep
    let deep = "d/".repeat(300) + "x";
    let [a, b] = [&b"good\n"[..], b"evil\n"].map(|inner| {
        let at = deep.len().saturating_sub(90);
        formats::cpio(&[(&deep[at..], inner), (&deep, inner)])
    });
    tells("folders", &a, &b);
}

#[test]
fn clusters_and_members_that_loop() {
    tells_change("a FAT whose file loops", fat, |b| {
        // cluster 3, the first of GRUB.CFG, follows itself
        for copy in [512, 10 * 512] {
            b[copy + 4] = b[copy + 4] & 0x0f | 0x30;
            b[copy + 5] = 0;
        }
        let at = find(b, b"GRUB    CFG");
        b[at + 30] = 0xff;
    });
    tells_change("a zip whose members share their bytes", zip, |b| {
        let at = b.windows(4).rposition(|part| part == b"PK\x01\x02").unwrap();
        b[at + 42..at + 46].fill(0);
    });
    tells_change("a cpio with a trailer in it", cpio, |b| {
        let at = find(b, b"etc/last");
        b[at..at + 8].copy_from_slice(b"TRAILER!");
    });
}

#[test]
fn small_images_that_unpack_to_much() {
    let zeros = vec![0; 64 << 20];
    let packed = [Compressor::Gzip, Compressor::Xz].map(|by| by.pack(&zeros));
    for packed in &packed {
        let members: Vec<(String, &[u8])> =
            (0..64).map(|n| (format!("z{n}"), &packed[..])).collect();
        let [a, b] = stamps().map(|stamp| {
            let mut all: Vec<(&str, &[u8])> = vec![("stamp", stamp.as_bytes())];
            all.extend(members.iter().map(|(name, bytes)| (name.as_str(), *bytes)));
            let tar = formats::tar(&all);
            Compressor::Gzip.pack(&tar)
        });
        ends("zeros", &a, &b);
    }
    // a hole of 8 GiB, as old GNU tar writes it
    let [a, b] = stamps().map(|stamp| {
        let mut tar = tar(&stamp);
        header(&mut tar, 2048, |header| {
            header[156] = b'S';
            header[257..265].copy_from_slice(b"ustar  \0");
            header[386..398].copy_from_slice(b"77777777770\0");
            header[398..410].copy_from_slice(b"00000000002\0");
            header[483..495].copy_from_slice(b"77777777777\0");
        });
        tar
    });
    ends("a sparse file", &a, &b);
}

/// A squashfs whose tables are not compressed, changed where `find` says.
#[track_caller]
fn squashfs(name: &str, change: impl Fn(&mut Vec<u8>)) {
    let scratch = Scratch::new();
    let [a, mut b] = stamps().map(|stamp| {
        let files: [(&str, &[u8]); 3] =
            [("etc/stamp", stamp.as_bytes()), ("bin/su", b"good\n"), ("bin/true", b"x\n")];
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
    squashfs("bytes behind the end", |b| {
        let at = b.len() - 3;
        b[at] = b'e';
    });
    squashfs("the count of inodes", |b| b[4] += 1);
    squashfs("the logarithm of the block size", |b| b[22] += 1);
}

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
