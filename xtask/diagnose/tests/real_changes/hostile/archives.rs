//! Archives, and what their headers hide.

use super::{cpio, fat, find, gpt, header, pe, tar, tells_change, zip};
use crate::formats::Compressor;

/// Makes an image with a date in it.
type Make = fn(&str) -> Vec<u8>;

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
