//! Images whose directory records are written by hand: what one reader passes over, another reads.

use crate::make::{EVIL, GRUB, append, good};
use crate::support::{EPOCH, Pair, Side, Tree};
use crate::{BIOS, DATE, UEFI, inspect, sound};
use std::fs;

/// Makes an image and changes its bytes; then every violation is of `rule`.
#[track_caller]
fn patched(
    name: &str,
    options: &[&str],
    make: fn(&Tree),
    patch: fn(&mut Vec<u8>),
    (rule, says): (&str, &str),
) {
    let pair = Pair::new(name, |tree, side| {
        if side == Side::A {
            sound(tree);
            make(tree);
            tree.squashfs(&[], EPOCH);
            tree.iso(&[&DATE, &BIOS[..], &UEFI, options].concat());
        }
    });
    let image = &pair.both("image.iso")[0];
    let mut bytes = fs::read(image).unwrap();
    patch(&mut bytes);
    fs::write(image, bytes).unwrap();
    let (rules, said) = inspect(name, image);
    assert_eq!(rules.is_empty(), rule.is_empty(), "{said}");
    assert!(rules.iter().all(|other| other == rule), "{rules:?} {said}");
    assert!(said.contains(says), "expected {says} in {said}");
}

/// Offsets of the records with this name in the primary tree of names.
fn records(bytes: &[u8], name: &str) -> Vec<usize> {
    let is_there = |at: &usize| {
        bytes[*at..].starts_with(name.as_bytes()) && usize::from(bytes[at - 1]) == name.len()
    };
    (33..bytes.len() - name.len()).filter(is_there).map(|at| at - 33).collect()
}

/// Turns a system use entry of a record into another one.
fn rename_entry(bytes: &mut [u8], record: usize, from: &[u8], to: &[u8]) {
    let end = record + usize::from(bytes[record]);
    let at = (record + 33..end - 1).find(|at| bytes[*at..].starts_with(from)).unwrap();
    bytes[at..at + 2].copy_from_slice(to);
}

/// Makes the record lead to the file of another one.
fn lead_to(bytes: &mut [u8], record: usize, other: usize) {
    bytes.copy_within(other + 2..other + 18, record + 2);
}

fn evil_script(tree: &Tree) {
    tree.write("iso/boot/evil.txt", &format!("linux /live/vmlinuz {EVIL}\nboot\n"));
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn records_are_read_as_each_reader_does() {
    const LACKS: (&str, &str) = ("kernel-parameters", "lacks slab_nomerge");
    // Linux and xorriso pass over it, GRUB does not
    patched(
        "marked-as-moved",
        &[],
        |t| {
            evil_script(t);
            append(t, GRUB, "source /boot/evil.txt\n");
        },
        |bytes| {
            for record in records(bytes, "EVIL.TXT;1") {
                rename_entry(bytes, record, b"TF", b"RE");
            }
        },
        LACKS,
    );
    patched(
        "hidden-and-associated",
        &[],
        |t| {
            evil_script(t);
            append(t, GRUB, "source /boot/evil.txt\n");
        },
        |bytes| {
            for record in records(bytes, "EVIL.TXT;1") {
                bytes[record + 25] |= 0x05;
            }
        },
        LACKS,
    );
    patched(
        "behind-a-record-that-continues",
        &[],
        |t| {
            evil_script(t);
            t.write("iso/boot/a.txt", "x");
            append(t, GRUB, "source /boot/evil.txt\n");
        },
        |bytes| {
            for record in records(bytes, "EFI.IMG;1") {
                bytes[record + 25] |= 0x80;
            }
        },
        LACKS,
    );
    // isolinux knows no Rock Ridge
    patched(
        "short-name",
        &["-iso-level", "3"],
        |t| t.write("iso/isolinux/isolinux_cfg", "default /live/vmlinuz quiet\n"),
        |bytes| {
            for record in records(bytes, "ISOLINUX_CFG.;1") {
                bytes[record + 32] = 14;
                bytes[record + 33..record + 48].copy_from_slice(b"ISOLINUX.CFG;2\0");
            }
        },
        LACKS,
    );
    // a USB stick has the tree of the partition, too
    patched(
        "tree-of-the-partition",
        &["-partition_offset", "16"],
        evil_script,
        |bytes| {
            let (grub, evil) = (records(bytes, "GRUB.CFG;1"), records(bytes, "EVIL.TXT;1"));
            assert_eq!((grub.len(), evil.len()), (2, 2));
            lead_to(bytes, grub[1], evil[1]);
        },
        LACKS,
    );
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn an_image_that_can_be_read_in_two_ways_is_told() {
    patched(
        "two-primary-volumes",
        &[],
        |_| {},
        |bytes| {
            // instead of Joliet's
            let primary = bytes[16 * 2048..17 * 2048].to_vec();
            let second = (17..32).find(|sector| bytes[sector * 2048] == 2).unwrap();
            bytes[second * 2048..(second + 1) * 2048].copy_from_slice(&primary);
        },
        ("cannot-tell", "several volume descriptors"),
    );
    patched(
        "udf-as-well",
        &[],
        |t| append(t, GRUB, &format!("# {}\n", good())),
        |bytes| {
            let end = (17..32).find(|sector| bytes[sector * 2048] == 255).unwrap();
            let udf = (end + 1) * 2048;
            bytes[udf..udf + 6].copy_from_slice(b"\0NSR03");
        },
        ("cannot-tell", "UDF"),
    );
    patched("nothing-changed", &["-partition_offset", "16"], |_| {}, |_| {}, ("", ""));
}
