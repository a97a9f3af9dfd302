//! Kinds of real changes beside the files of an image: after an end, between files, in boot code, in
//! metadata that a reader could believe; and arguments that are no regular file.

use crate::answer::Answer;
use crate::contents::Build;
use crate::formats::{self, TIME};
use crate::kinds::Scratch;
use crate::{say, tools};
use std::fs;
use std::process::{Command, Output};

/// Returns true if the programs are there; says so if they are not.
fn have(programs: &[&str]) -> bool {
    let have = tools::installed(programs);
    if !have {
        say(&format!("SKIPPED, not installed: {}", programs.join(", ")));
    }
    have
}

/// Something besides the causes at `etc/` is unexplained or not read.
#[track_caller]
fn told(answer: &Answer) {
    assert!(!answer.open.is_empty(), "explained away, or not mentioned: {answer:#?}");
}

fn stamps() -> [String; 2] {
    [Build::First, Build::Later].map(Build::stamp)
}

#[test]
fn bytes_after_the_end_of_an_archive() {
    let [a, b] = stamps().map(|stamp| formats::tar(&[("etc/stamp", stamp.as_bytes())]));
    told(&Scratch::new().diagnose(&a, &[b, b"evil".to_vec()].concat()));
    let [a, b] = stamps().map(|stamp| formats::cpio(&[("etc/stamp", stamp.as_bytes())]));
    told(&Scratch::new().diagnose(&a, &[b, b"evil".to_vec()].concat()));
}

#[test]
fn an_archive_after_the_first_one() {
    let [a, b] = stamps().map(|stamp| formats::cpio(&[("etc/stamp", stamp.as_bytes())]));
    let evil = formats::Compressor::Gzip.pack(&formats::cpio(&[("init", b"evil\n")]));
    told(&Scratch::new().diagnose(&a, &[b, evil].concat()));
}

#[test]
fn the_second_of_two_members_of_one_name() {
    let members = |last: &'static [u8]| formats::cpio(&[("init", b"good\n"), ("init", last)]);
    told(&Scratch::new().diagnose(&members(b"good\n"), &members(b"evil\n")));
}

#[test]
fn bytes_between_the_fields_of_an_archive() {
    let a = formats::tar(&[("etc/x", b"abc")]);
    let mut b = a.clone();
    b[512 + 100..][..4].copy_from_slice(b"evil");
    told(&Scratch::new().diagnose(&a, &b));
}

/// Two archives that differ in a date, and in fields of the second member's header.
#[track_caller]
fn tells_fields(fields: &[(usize, &[u8])]) {
    let [a, mut b] = stamps()
        .map(|stamp| formats::tar(&[("etc/stamp", stamp.as_bytes()), ("usr/bin/find", b"")]));
    let header = &mut b[1024..1536];
    for (at, bytes) in fields {
        header[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    formats::seal(header);
    let answer = Scratch::new().diagnose(&a, &b);
    let named = answer.open.iter().any(|(place, _)| place.iter().any(|x| x == "usr/bin/find"));
    assert!(named, "{fields:?}: {answer:#?}");
}

#[test]
fn bits_that_make_a_program_run_as_another_user() {
    for mode in [&b"0004755\0"[..], b"0002755\0", b"0006755\0"] {
        tells_fields(&[(100, mode)]);
    }
}

#[test]
fn a_program_that_became_a_link_or_a_device() {
    tells_fields(&[(156, b"2"), (157, b"/tmp/evil")]);
    tells_fields(&[(156, b"3"), (329, b"0000001\0"), (337, b"0000003\0")]);
}

/// Two ISOs whose only other difference is a date, the second one changed further.
fn isos(change: impl Fn(&mut Vec<u8>)) -> Option<Answer> {
    if !have(&["xorriso"]) {
        return None;
    }
    let scratch = Scratch::new();
    let grub = b"set default=0\nset timeout=5\nmenuentry x {\n linux /live/vmlinuz\n}\n";
    let [a, mut b] = stamps().map(|stamp| {
        let files = [("etc/stamp", stamp.as_bytes()), ("boot/grub/grub.cfg", &grub[..])];
        tools::iso(&scratch.0.join("iso"), &files)
    });
    change(&mut b);
    Some(scratch.diagnose(&a, &b))
}

#[test]
fn bytes_around_the_files_of_an_iso() {
    for (at, what) in [
        (16, "boot code"),
        (32_700, "the system area"),
        (16 * 2048 + 883 + 100, "application use"),
        (16 * 2048 + 1395 + 100, "what the standard reserves"),
    ] {
        let Some(answer) = isos(|iso| iso[at] ^= 0x55) else { return };
        assert!(!answer.open.is_empty(), "{what}: {answer:#?}");
    }
    for end in [&b"evil"[..], &[&b"evil"[..], &[0; 2044]].concat()] {
        let Some(answer) = isos(|iso| iso.extend(end)) else { return };
        told(&answer);
    }
}

#[test]
fn bytes_where_boot_images_have_a_table() {
    let Some(answer) = isos(|iso| {
        let at = iso.windows(9).position(|bytes| bytes == b"timeout=5").unwrap();
        iso[at + 8] = b'0';
    }) else {
        return;
    };
    let named = answer.open.iter().map(|(place, _)| place).chain(
        answer.causes.iter().filter(|(id, _)| id.contains("setting")).map(|(_, place)| place),
    );
    assert!(named.into_iter().any(|place| place == &["boot/grub/grub.cfg"]), "{answer:#?}");
}

#[test]
fn a_file_whose_inode_number_is_that_of_another() {
    if !have(&["mksquashfs"]) {
        return;
    }
    let scratch = Scratch::new();
    let [a, b] = [&b"good\n"[..], b"evil\n"].map(|su| {
        // several names make inodes that know their number of links
        let dir = scratch.0.join("squashfs");
        let files = [("bin/one", &b"one\n"[..]), ("bin/su", su)];
        let mut image = tools::squashfs_with_links(&dir, &["-noI"], TIME, &files);
        // type 9 is a file with links; the time of the inode follows eight bytes on, then its number
        let inodes: Vec<usize> = (0..image.len() - 16)
            .filter(|at| image[*at..].starts_with(&[9, 0]))
            .filter(|at| image[at + 8..].starts_with(&TIME.to_le_bytes()))
            .collect();
        let [first, second] = inodes[..] else { panic!("{inodes:?}") };
        image.copy_within(first + 12..first + 16, second + 12);
        image
    });
    let answer = scratch.diagnose(&a, &b);
    let named = answer.open.iter().any(|(place, _)| place.last().is_some_and(|x| x.contains("su")));
    assert!(named && answer.contents_differ, "{answer:#?}");
}

/// The last byte of a deflate stream has bits that mean nothing; no compressor writes them otherwise.
#[test]
fn bits_of_a_stream_that_mean_nothing() {
    use crate::formats::Compressor;
    for text in ["built of nothing\n", "a longer line, of this and that\n", "x"] {
        let stream = Compressor::Gzip.pack(text.as_bytes());
        let mut other = stream.clone();
        // before the checksum and the length
        let last = other.len() - 9;
        other[last] ^= 0x80;
        if Compressor::Gzip.unpack(&other).as_deref() == Some(text.as_bytes()) {
            crate::kinds::tells("usr/share/x.gz", &stream, &other);
        }
    }
}

/// A partition that ends behind the disk, beside something that moved.
#[test]
fn a_partition_that_ends_behind_the_disk() {
    let a = crate::formats::extended(&[&[0x90; 4096], &[0xcc; 4096]]);
    let mut b = a.clone();
    // the number of sectors of the extended partition, and bytes that only B has at the end
    b[446 + 16 + 12 + 2] = 7;
    b.extend([1; 512]);
    let answer = Scratch::new().diagnose(&a, &b);
    let is_told = |what: &str| what.contains("ends of the MBR partitions");
    assert!(answer.open.iter().any(|(_, what)| is_told(what)), "{answer:#?}");
}

fn shell(line: &str, dir: &std::path::Path) -> Output {
    // the checkout may lie at a path with blanks
    let line = line.replace("DIAGNOSE", "\"$DIAGNOSE\" diagnose --diffoscope never");
    let mut command = Command::new("timeout");
    command.args(["20", "bash", "-c", &line]).current_dir(dir);
    command.env("DIAGNOSE", env!("CARGO_BIN_EXE_diagnose")).output().unwrap()
}

#[test]
fn pipes_and_devices_are_read_or_refused() {
    let scratch = Scratch::new();
    for line in [
        "DIAGNOSE <(echo one) <(echo two)",
        "mkfifo f; timeout 5 bash -c 'echo one >f' >/dev/null 2>&1 & DIAGNOSE f <(echo two)",
        "echo one >x; DIAGNOSE /dev/null x",
        "DIAGNOSE /proc/version /proc/meminfo",
    ] {
        let output = shell(line, &scratch.0);
        let code = output.status.code();
        assert!(matches!(code, Some(1..=4)), "{line}: {code:?}: {output:?}");
        assert!(!output.stdout.starts_with(b"identical"), "{line}: {output:?}");
    }
}

#[test]
fn a_record_cannot_name_an_image_of_another_folder() {
    let scratch = Scratch::new();
    for name in ["../other/x.iso", "/etc/hostname"] {
        for folder in ["a", "b", "other"] {
            fs::create_dir_all(scratch.0.join(folder)).unwrap();
            fs::write(scratch.0.join(folder).join("x.iso"), folder).unwrap();
            let info = format!("Recipe: base\nIso: {name}\n");
            fs::write(scratch.0.join(folder).join("BUILD_INFO"), info).unwrap();
        }
        let output = shell("DIAGNOSE a b", &scratch.0);
        assert!(matches!(output.status.code(), Some(1..=4)), "{name}: {output:?}");
    }
}
