//! Boot code, partition tables and allocation tables.

use super::{cpio, fat, find, gpt, tells_change, zip};

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
