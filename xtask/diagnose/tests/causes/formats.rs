//! Formats whose fields follow from what is in them, once that is recomputed.

use crate::support::{EPOCH, Pair, Side, Tree, run};
use sha2::{Digest as _, Sha256};
use std::process::Command;

/// An ISO of these files.
fn iso(tree: &Tree, files: &[(&str, Vec<u8>)]) {
    for (path, bytes) in files {
        tree.bytes(&format!("iso/{path}"), bytes);
    }
    tree.write("etc/x", "x\n");
    tree.squashfs(&[], EPOCH);
    tree.iso(&[]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that do not repeat.
fn data(blocks: usize) -> Vec<u8> {
    (0..blocks * 1024).flat_map(|n| (n as u32).wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// The file that `veritysetup format` makes of `data`, and the root hash.
fn verity(data: &[u8], salt: u8) -> (Vec<u8>, String) {
    let salt = [salt; 32];
    let hash = |block: &[u8]| Sha256::new().chain_update(salt).chain_update(block).finalize();
    let mut file = b"verity\0\0\x01\0\0\0\x01\0\0\0".to_vec();
    file.extend([salt[0]; 16]);
    file.extend(b"sha256");
    file.resize(64, 0);
    file.extend([0, 16, 0, 0, 0, 16, 0, 0]);
    file.extend((data.len() as u64 / 4096).to_le_bytes());
    file.extend([32, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(salt);
    file.resize(4096, 0);
    let mut levels: Vec<Vec<u8>> = Vec::new();
    while levels.last().is_none_or(|level| level.len() > 4096) {
        let below = levels.last().map_or(data, Vec::as_slice);
        let mut level: Vec<u8> = below.chunks(4096).flat_map(hash).collect();
        level.resize(level.len().next_multiple_of(4096), 0);
        levels.push(level);
    }
    let root = hex(&hash(&levels[levels.len() - 1]));
    file.extend(levels.into_iter().rev().flatten());
    (file, root)
}

fn menu(root: &str) -> Vec<u8> {
    format!("linux /vmlinuz quiet verity.roothash={root}\n").into_bytes()
}

#[test]
fn salts_of_hash_trees() {
    needs_tools!();
    let pair = Pair::new("verity", |tree, side| {
        // one level, and two
        let (small, large) = (data(1), data(200));
        let (hashes, root) = verity(&large, side.pick(1, 2));
        iso(
            tree,
            &[
                ("live/root.img", large),
                ("live/root.verity", hashes),
                ("live/small.img", small.clone()),
                ("live/small.verity", verity(&small, 7).0),
                ("grub.cfg", menu(&root)),
            ],
        );
    });
    pair.names_in("image.iso", &["verity-salt"]);
}

#[test]
fn a_root_hash_that_is_another_tree_s_does_not_follow() {
    needs_tools!();
    let pair = Pair::new("verity-root", |tree, side| {
        let large = data(200);
        let (hashes, root) = verity(&large, side.pick(1, 2));
        let root = side.pick(root, "5".repeat(64));
        iso(tree, &[("root.img", large), ("root.verity", hashes), ("grub.cfg", menu(&root))]);
    });
    pair.hints(&["verity-salt"], &["setting"]);
}

#[test]
fn a_hash_tree_with_one_hash_of_its_own_is_not_read() {
    needs_tools!();
    let pair = Pair::new("verity-hash", |tree, side| {
        let large = data(200);
        let (mut hashes, root) = verity(&large, side.pick(1, 2));
        hashes[4096 * 2 + 32 * 77] ^= side.pick(0, 1);
        iso(tree, &[("root.img", large), ("root.verity", hashes), ("grub.cfg", menu(&root))]);
    });
    let json = pair.json("image.iso");
    assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
    assert_eq!(json["unreadable"][0]["place"], "root.verity", "{json:#}");
    assert_eq!(json["unexplained"][0]["place"], "grub.cfg", "{json:#}");
}

#[test]
fn a_hash_tree_follows_from_its_data_which_are_judged() {
    needs_tools!();
    let pair = Pair::new("verity-data", |tree, side| {
        let mut large = data(200);
        large[500_000] ^= side.pick(0, 1);
        let (hashes, root) = verity(&large, 1);
        iso(tree, &[("root.img", large), ("root.verity", hashes), ("grub.cfg", menu(&root))]);
    });
    let json = pair.json("image.iso");
    let places = |list: &str| -> Vec<&str> {
        json[list].as_array().unwrap().iter().map(|x| x["place"].as_str().unwrap()).collect()
    };
    assert_eq!(places("unexplained"), ["root.img"], "{json:#}");
    assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
    let follows = places("follows");
    assert!(follows.contains(&"root.verity") && follows.contains(&"grub.cfg"), "{json:#}");
}

/// A tar of one file, with these options.
fn tar(tree: &Tree, options: &[&str]) {
    std::fs::write(tree.dir.join("member"), "x\n").unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-c", "--owner=0", "--group=0", "--numeric-owner"]).args(options).arg("-C");
    let bytes = run(tar.arg(&tree.dir).arg("member"));
    tree.bytes("usr/src/x.tar", &bytes);
}

#[test]
fn formats_of_archives() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tar(tree, &["--mtime=@1780000000", side.pick("--format=ustar", "--format=gnu")]);
    };
    Pair::of_images("tar-format", make).names(&["tar-format"]);
    let make = |tree: &Tree, side: Side| {
        let exact = "--pax-option=delete=atime,delete=ctime";
        tar(
            tree,
            &[side.pick("--mtime=@1780000000", "--mtime=@1780000000.5"), "--format=pax", exact],
        );
    };
    Pair::of_images("tar-pax", make).names(&["extended-headers", "mtime-archive"]);
}

#[test]
fn extended_headers_with_other_names_or_comments() {
    needs_tools!();
    for option in ["exthdr.name=/etc/%f", "comment=curl evil"] {
        let make = |tree: &Tree, side: Side| {
            let exact = format!(
                "--pax-option=delete=atime,delete=ctime{}",
                side.pick(String::new(), format!(",{option}"))
            );
            tar(tree, &["--mtime=@1780000000.5", "--format=pax", &exact]);
        };
        let json = Pair::of_images("tar-comment", make).json("image.iso");
        assert_eq!(json["unexplained"][0]["what"], "rest of the header", "{option}: {json:#}");
    }
}

/// An EFI program with a section of code and a compressed initramfs, with a checksum that fits.
fn kernel(tree: &Tree, entry: u32, time: i64) -> Vec<u8> {
    tree.initrd("iso/initrd", &["init", "usr"], time);
    let initrd = std::fs::read(tree.path("iso/initrd")).unwrap();
    std::fs::remove_file(tree.path("iso/initrd")).unwrap();
    tree.packed("iso/initrd.gz", "gzip", "-n9", &initrd);
    let initrd = std::fs::read(tree.path("iso/initrd.gz")).unwrap();
    std::fs::remove_file(tree.path("iso/initrd.gz")).unwrap();
    let mut bytes = b"MZ".to_vec();
    bytes.resize(0x3c, 0);
    bytes.extend(0x80_u32.to_le_bytes());
    bytes.resize(0x80, 0);
    bytes.extend(b"PE\0\0\x64\x86\x02\0");
    bytes.resize(0x80 + 20, 0);
    // bytes of the optional header, then the header itself
    bytes.extend(112_u16.to_le_bytes());
    bytes.resize(0x80 + 24, 0);
    bytes.extend(0x20b_u16.to_le_bytes());
    bytes.resize(0x80 + 24 + 16, 0);
    bytes.extend(entry.to_le_bytes());
    bytes.resize(0x80 + 24 + 112, 0);
    let mut at = 0x200_u32;
    for (name, place, len) in
        [(b".text\0\0\0", 0x1000_u32, 64), (b".initrd\0", 0x3000, initrd.len())]
    {
        let kept = (len as u32).next_multiple_of(0x200);
        bytes.extend(name);
        for field in [len as u32, place, kept, at, 0, 0, 0, 0x4000_0040] {
            bytes.extend(field.to_le_bytes());
        }
        at += kept;
    }
    bytes.resize(0x200, 0);
    bytes.extend([0x90; 64]);
    bytes.resize(0x400, 0);
    bytes.extend(initrd);
    bytes.resize(at as usize, 0);
    checked(&mut bytes);
    bytes
}

/// Writes the checksum.
fn checked(bytes: &mut [u8]) {
    bytes[0x80 + 88..0x80 + 92].fill(0);
    let words = bytes.chunks(2).map(|word| u64::from(word[0]) | u64::from(word[1]) << 8);
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = sum as u32 + bytes.len() as u32;
    bytes[0x80 + 88..0x80 + 92].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn unified_kernel_images() {
    needs_tools!();
    let pair = Pair::new("uki", |tree, side| {
        let kernel = kernel(tree, 0x1000, EPOCH + side.pick(0, 99));
        iso(tree, &[("linux.efi", kernel)]);
    });
    pair.names_in("image.iso", &["mtime-initramfs"]);
}

#[test]
fn what_the_headers_and_the_padding_of_an_efi_program_hide() {
    needs_tools!();
    let change: [fn(&mut Vec<u8>); 3] = [
        // another entry point, with a checksum that fits
        |bytes| {
            bytes[0x80 + 24 + 16] = 0x20;
            checked(bytes);
        },
        // a checksum that does not
        |bytes| bytes[0x80 + 88] ^= 1,
        // bytes behind the code
        |bytes| {
            bytes[0x300] = 0xcc;
            checked(bytes);
        },
    ];
    for (change, place) in
        change.into_iter().zip(["[headers]", "[headers]", "[between the sections]"])
    {
        let pair = Pair::new("uki-headers", |tree, side| {
            let mut kernel = kernel(tree, 0x1000, EPOCH + side.pick(0, 99));
            if side == Side::B {
                change(&mut kernel);
            }
            iso(tree, &[("linux.efi", kernel)]);
        });
        let json = pair.json("image.iso");
        assert_eq!(json["unexplained"][0]["place"], format!("linux.efi!{place}"), "{json:#}");
        assert_eq!(json["causes"][0]["id"], "mtime-initramfs", "{json:#}");
    }
}

/// An erofs of one block: the superblock, and a text behind it.
fn erofs(id: u8, time: i64, text: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[1024..1028].copy_from_slice(&0xe0f5_e1e2_u32.to_le_bytes());
    bytes[1036] = 12;
    bytes[1048..1056].copy_from_slice(&time.to_le_bytes());
    bytes[1072..1088].fill(id);
    bytes[2048..2048 + text.len()].copy_from_slice(text.as_bytes());
    bytes[1032] = 1;
    summed(bytes)
}

/// With its checksum, CRC-32C without the last inversion.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[1028..1032].fill(0);
    let mut sum = u32::MAX;
    for byte in &bytes[1024..] {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    bytes[1028..1032].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn ids_and_times_of_a_file_system_that_is_not_read() {
    needs_tools!();
    let of = |b: fn() -> Vec<u8>| {
        Pair::new("erofs", |tree, side| {
            iso(tree, &[("root.erofs", side.pick(erofs(1, EPOCH, "root=no"), b()))]);
        })
    };
    let pair = of(|| erofs(2, EPOCH + 9, "root=no"));
    pair.names_in("image.iso", &["file-system-ids", "file-system-times"]);
    let others: [fn() -> Vec<u8>; 3] = [
        || erofs(2, EPOCH + 9, "root=ok"),
        || {
            let mut bytes = erofs(2, EPOCH + 9, "root=no");
            bytes[1024 + 14] = 77; // the root's number
            summed(bytes)
        },
        || {
            let mut bytes = erofs(2, EPOCH + 9, "root=no");
            bytes[1028] ^= 1; // a checksum that is none
            bytes
        },
    ];
    for b in others {
        let json = of(b).json("image.iso");
        assert_eq!(json["unreadable"][0]["place"], "root.erofs", "{json:#}");
        assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
    }
}

/// Bytes that a program may read, in the header of a stream whose content is equal.
#[test]
fn comments_in_the_header_of_a_gzip() {
    needs_tools!();
    for flag in [0x10_u8, 0x04] {
        let make = |tree: &Tree, side: Side| {
            tree.gzip("usr/share/x.gz", b"some text\n", side.pick(0, 1_795_317_901));
            let mut bytes = std::fs::read(tree.path("usr/share/x.gz")).unwrap();
            bytes[3] |= flag;
            let more: &[u8] = match flag {
                0x10 => side.pick(b"good\0", b"evil\0"),
                _ => side.pick(b"\x08\0ab\x04\0good", b"\x08\0ab\x04\0evil"),
            };
            bytes.splice(10..10, more.iter().copied());
            tree.bytes("usr/share/x.gz", &bytes);
        };
        Pair::of_images("gzip-comment", make).hints(&["gzip-time"], &["-"]);
    }
}

/// An initramfs whose second member's header has other digits, on side B, in the field at this offset.
fn initramfs(name: &str, field: usize, digits: &'static str) -> Pair {
    Pair::new(name, |tree, side| {
        tree.initrd("iso/initrd", &["init", "usr"], EPOCH);
        let mut bytes = std::fs::read(tree.path("iso/initrd")).unwrap();
        let second = bytes.windows(6).rposition(|x| x == b"070701").unwrap();
        let second = bytes[..second].windows(6).rposition(|x| x == b"070701").unwrap();
        if side == Side::B {
            bytes[second + field..][..8].copy_from_slice(digits.as_bytes());
        }
        iso(tree, &[("initrd", bytes)]);
    })
}

#[test]
fn numbers_in_the_headers_of_an_initramfs() {
    needs_tools!();
    initramfs("cpio-inode", 6, "0000beef").names_in("image.iso", &["cpio-inodes"]);
    initramfs("cpio-links", 38, "00000002").names_in("image.iso", &["cpio-links"]);
    // a program that runs as root, and the number of a device
    for (field, digits) in [(14, "000089ed"), (78, "00000001")] {
        let json = initramfs("cpio-mode", field, digits).json("image.iso");
        assert!(!json["unexplained"].as_array().unwrap().is_empty(), "{json:#}");
    }
}

/// A kernel module with a signature, and one byte of its code.
fn module(tree: &Tree, signature: u8, code: u8) {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(600, 0x90);
    bytes[500] = code;
    bytes.extend([0x30, 0x82, 1, 0]);
    bytes.extend([signature; 256]);
    bytes.extend([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 4]);
    bytes.extend(b"~Module signature appended~\n");
    tree.bytes("usr/lib/modules/x.ko", &bytes);
}

#[test]
fn signatures_of_kernel_modules() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| module(tree, side.pick(1, 2), 0x90);
    Pair::of_images("module", make).names(&["module-signature"]);
    let make = |tree: &Tree, side: Side| module(tree, side.pick(1, 2), side.pick(0x90, 0xcc));
    Pair::of_images("module-code", make).hints(&[], &["module-signature"]);
    let make = |tree: &Tree, side: Side| {
        module(tree, 1, 0x90);
        if side == Side::B {
            let bytes = std::fs::read(tree.path("usr/lib/modules/x.ko")).unwrap();
            tree.bytes("usr/lib/modules/x.ko", &bytes[..600]);
        }
    };
    Pair::of_images("module-unsigned", make).hints(&[], &["-"]);
}

#[test]
fn serial_numbers_of_hfs_plus() {
    needs_tools!();
    let pair = Pair::new("hfsplus", |tree, side| {
        tree.squashfs(&[], EPOCH);
        let serial = side.pick("1122334455667788", "99aabbccddeeff00");
        tree.iso(&["-hfsplus", "-hfsplus-serial-no", serial]);
    });
    pair.names_in("image.iso", &["hfsplus-serial"]);
}
