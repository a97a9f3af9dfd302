//! Bytes that a reader passes by, where something else of the layer is told.

use super::{cpio, find, have, stamps, tells, tells_change};
use crate::answer::Answer;
use crate::formats::{self, Compressor};
use crate::kinds::{Scratch, told};
use crate::tools;

/// An archive of folders and files: name, permissions and type, content.
fn members(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let plain: Vec<(&str, &[u8])> =
        members.iter().map(|(name, _, content)| (*name, *content)).collect();
    let mut archive = formats::cpio(&plain);
    for (name, mode, _) in members {
        let at = find(&archive, format!("{name}\0").as_bytes()) - 110;
        archive[at + 14..at + 22].copy_from_slice(format!("{mode:08x}").as_bytes());
    }
    archive
}

const FILE: u32 = 0o100_644;
const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;

/// Linux makes no folder for a file that comes before it: the file is lost.
#[test]
fn a_file_before_its_folder() {
    let [a, b] = stamps().map(|stamp| stamp.into_bytes());
    let folder = ("etc/modprobe.d", FOLDER, &b""[..]);
    let file = ("etc/modprobe.d/deny.conf", FILE, &b"blacklist x\n"[..]);
    let one = members(&[folder, file, ("stamp", FILE, &a)]);
    tells("folder", &one, &members(&[file, folder, ("stamp", FILE, &b)]));
    // unpacked behind the link, the file lies elsewhere
    let link = ("lib", LINK, &b"usr/lib"[..]);
    let file = ("lib/x.ko", FILE, &b"x"[..]);
    let one = members(&[file, link, ("stamp", FILE, &a)]);
    tells("link", &one, &members(&[link, file, ("stamp", FILE, &b)]));
}

#[test]
fn the_checksums_of_a_cpio() {
    tells_change("magic of the first member", cpio, |b| b[5] = b'2');
}

/// Two names of which one is what the other is printed as.
#[test]
fn a_link_that_reads_like_another_one() {
    let [a, b] = stamps().map(|stamp| stamp.into_bytes());
    let one = members(&[("lib", LINK, b"lib\x01"), ("stamp", FILE, &a)]);
    tells("link", &one, &members(&[("lib", LINK, b"lib\\x01"), ("stamp", FILE, &b)]));
}

#[test]
fn links_of_a_folder() {
    let [a, b] = stamps().map(|stamp| stamp.into_bytes());
    let image = |stamp: &[u8]| members(&[("etc", FOLDER, b""), ("stamp", FILE, stamp)]);
    let mut other = image(&b);
    other[38..46].copy_from_slice(b"00000007");
    let answer = Scratch::new().diagnose(&image(&a), &other);
    assert!(has(&answer, "cpio-links"), "{answer:#?}");
}

fn has(answer: &Answer, cause: &str) -> bool {
    answer.causes.iter().any(|(id, _)| id == cause)
}

/// A stream of gzip with a comment in its header, or without.
fn gzip(content: &[u8], comment: Option<&str>) -> Vec<u8> {
    let mut stream = Compressor::Gzip.pack(content);
    if let Some(comment) = comment {
        stream[3] |= 0x10;
        let rest = stream.split_off(10);
        stream.extend(comment.as_bytes());
        stream.push(0);
        stream.extend(rest);
    }
    stream
}

/// The same content in blocks that are not compressed.
fn stored(content: &[u8]) -> Vec<u8> {
    let packed = Compressor::Gzip.pack(content);
    let len = u16::try_from(content.len()).unwrap();
    let (head, sums) = (&packed[..10], &packed[packed.len() - 8..]);
    [head, &[1], &len.to_le_bytes(), &(!len).to_le_bytes(), content, sums].concat()
}

#[test]
fn the_header_of_a_stream_behind_another_one() {
    let make = |stamp: &str, comment| {
        [gzip(stamp.as_bytes(), None), gzip(b"tail\n", Some(comment))].concat()
    };
    let [a, b] = stamps();
    tells("streams of a file", &make(&a, "hello"), &make(&b, "evil!"));
    let initramfs =
        |stamp: &str, comment| [cpio("no date\n"), gzip(&cpio(stamp), Some(comment))].concat();
    tells("streams of an initramfs", &initramfs(&a, "hello"), &initramfs(&b, "evil!"));
}

/// Other compressed bytes of one content are named, also where another content differs.
#[test]
fn a_stream_that_is_packed_otherwise() {
    let [a, b] = stamps();
    let second = cpio("no date\n");
    let one = [cpio(&a), gzip(&second, None)].concat();
    let answer = Scratch::new().diagnose(&one, &[cpio(&b), stored(&second)].concat());
    assert!(has(&answer, "recompressed") && answer.open.is_empty(), "{answer:#?}");
    // beside another time in the header
    let mut other = stored(b"text of a manual\n");
    other[4] ^= 1;
    let answer = Scratch::new().diagnose(&gzip(b"text of a manual\n", None), &other);
    assert!(has(&answer, "recompressed") && has(&answer, "gzip-time"), "{answer:#?}");
}

#[test]
fn blocks_of_a_squashfs_that_are_packed_otherwise() {
    if !have("mksquashfs") {
        return;
    }
    let text: String = (0..60_000).map(|n| format!("{n} ")).collect();
    let [a, b] = stamps();
    let make = |stamp: &str, level| {
        let files = [("stamp", stamp.as_bytes()), ("usr/share/text", text.as_bytes())];
        let scratch = Scratch::new();
        let options = ["-comp", "gzip", "-Xcompression-level", level];
        tools::squashfs(&scratch.0.join("squashfs"), &options, formats::TIME, &files)
    };
    let [one, mut other] = [make(&a, "8"), make(&b, "2")];
    // the superblock says the same of both
    assert_eq!((one[98], other[98]), (8, 2));
    other[98] = 8;
    let answer = Scratch::new().diagnose(&one, &other);
    assert!(has(&answer, "squashfs-repacked"), "{answer:#?}");
    assert!(answer.open.is_empty(), "{answer:#?}");
}

/// Two accounts exchange their numbers, and a file keeps its owner's: it is the other one's now.
#[test]
fn a_file_whose_owner_has_another_name() {
    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\na:x:101:65534::/:/bin/false\n\
                          b:x:102:65534::/:/bin/false\n";
    let other = PASSWD.replace(":101:", ":10X:").replace(":102:", ":101:").replace("10X", "102");
    let make = |stamp: &str, passwd: &str, owner: u32| {
        let mut archive = members(&[
            ("secret", FILE, b"x\n"),
            ("stamp", FILE, stamp.as_bytes()),
            ("etc/passwd", FILE, passwd.as_bytes()),
        ]);
        archive[22..30].copy_from_slice(format!("{owner:08x}").as_bytes());
        archive
    };
    let [a, b] = stamps();
    let first = make(&a, PASSWD, 101);
    let answer = Scratch::new().diagnose(&first, &make(&b, &other, 101));
    told(&answer, &["etc/passwd"]);
    // it followed its owner
    let answer = Scratch::new().diagnose(&first, &make(&b, &other, 102));
    assert!(has(&answer, "account-numbers") && has(&answer, "system-owner"), "{answer:#?}");
    assert!(answer.open.is_empty(), "{answer:#?}");
}

/// A program that runs as its owner runs as somebody else then.
#[test]
fn an_owner_of_a_program_that_runs_as_its_owner() {
    let make = |stamp: &str, owner: u32| {
        let mut archive = members(&[
            ("usr/bin/a", 0o104_755, b"a"),
            ("usr/bin/b", 0o104_755, b"b"),
            ("stamp", FILE, stamp.as_bytes()),
        ]);
        for name in ["usr/bin/a", "usr/bin/b"] {
            let at = find(&archive, name.as_bytes()) - 110;
            archive[at + 22..at + 30].copy_from_slice(format!("{owner:08x}").as_bytes());
        }
        archive
    };
    let [a, b] = stamps();
    tells("owners", &make(&a, 1000), &make(&b, 0));
}

/// A public host key that another private key was made with.
#[test]
fn a_public_host_key_that_was_exchanged() {
    let public = |key: &str| format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{key} root@x\n");
    let path = "etc/ssh/ssh_host_ed25519_key.pub";
    crate::kinds::tells(path, public("Hb1root"), public("Kc9sbin"));
}
