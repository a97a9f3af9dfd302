//! Images that are cut off or bent: each gives an error with its place, and never a panic, a hang or a
//! great deal of memory. Work is counted in bytes read and unpacked, not timed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use diskimage::source::Bytes;
use diskimage::{Budget, Error, Format, Layer, Result, Shared, Walked};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use support::{Counted, FIXTURES, describe, fixture};

/// Budget of a small image, in bytes of work and in entries. The largest one needs 1 MB and 90.
const UNPACKED: u64 = 16 << 20;
const ENTRIES: u64 = 2000;

/// Bytes that may be read of an image. Bytes that are read twice count twice.
const READ: u64 = 8 * UNPACKED;

/// Reads all of an image within its budget.
fn read(bytes: Vec<u8>) -> Result<String> {
    let source = Counted::new(bytes);
    let shared: Shared = source.clone();
    let result = describe(&shared, &Budget::new(UNPACKED, ENTRIES));
    let read = source.read.load(Ordering::Relaxed);
    assert!(read < READ, "{read} bytes were read");
    if let Err(error) = &result {
        assert!(!error.layer.is_empty() && !error.why.is_empty(), "{error:?}");
    }
    result
}

/// The same; `what` says how the image was bent if reading it panics.
fn read_bent(bytes: Vec<u8>, what: impl FnOnce() -> String) -> Result<String> {
    catch_unwind(AssertUnwindSafe(|| read(bytes))).unwrap_or_else(|_| panic!("{}", what()))
}

/// Pseudo-random numbers, the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[test]
fn torn_at_every_kilobyte() {
    for name in FIXTURES {
        let whole = fixture(name);
        let complete = read(whole.clone()).unwrap();
        for len in (0..whole.len()).step_by(1024) {
            let torn = read_bent(whole[..len].to_vec(), || format!("{name}, {len} bytes"));
            // zeros at the end of an archive are not missed
            if let Ok(text) = torn {
                assert!(
                    text.is_empty() || text == complete || !name.ends_with("squashfs"),
                    "{name}: {len} bytes of {} pass for all",
                    whole.len()
                );
            }
        }
    }
}

#[test]
fn ten_thousand_flipped_bits() {
    for name in ["hybrid.iso", "xz.squashfs", "plain.squashfs"] {
        let errors = flip(name, 10_000);
        assert!((1..10_000).contains(&errors), "{name}: {errors} errors");
    }
}

#[test]
fn flipped_bits_in_every_format() {
    for name in FIXTURES {
        flip(name, 500);
    }
}

fn flip(name: &str, times: usize) -> usize {
    let whole = fixture(name);
    let mut errors = 0;
    for seed in 0..times as u64 {
        let mut numbers = Numbers(seed);
        let mut bent = whole.clone();
        let (at, bit) = (numbers.below(bent.len()), numbers.below(8));
        bent[at] ^= 1 << bit;
        let result = read_bent(bent, || format!("{name}, bit {bit} of byte {at}"));
        errors += usize::from(result.is_err());
    }
    errors
}

/// Sizes, counts and places that are extreme, at any place, several at once.
#[test]
fn extreme_numbers_in_every_format() {
    const EXTREME: [u64; 8] =
        [0, 1, 0x7f, 0xff, 0x7fff_ffff, u32::MAX as u64, 1 << 62, u64::MAX - 1];
    for name in FIXTURES {
        let whole = fixture(name);
        for seed in 0..1000 {
            let mut numbers = Numbers(seed);
            let mut bent = whole.clone();
            for _ in 0..=numbers.below(3) {
                // headers are at the start, and in squashfs at the end: go there more often
                let end = match numbers.below(3) {
                    0 => bent.len().min(256),
                    _ => bent.len(),
                };
                let at = if numbers.below(4) == 0 {
                    bent.len() - 1 - numbers.below(bent.len().min(1024))
                } else {
                    numbers.below(end)
                };
                let value = EXTREME[numbers.below(EXTREME.len())];
                let len = [1, 2, 4, 8][numbers.below(4)].min(bent.len() - at);
                let bytes = if numbers.below(4) == 0 {
                    value.to_be_bytes()[8 - len..].to_vec()
                } else {
                    value.to_le_bytes()[..len].to_vec()
                };
                bent[at..at + len].copy_from_slice(&bytes);
            }
            drop(read_bent(bent, || format!("{name}, seed {seed}")));
        }
    }
}

#[test]
fn a_magic_without_the_rest_is_an_error_with_its_place() {
    for (format, start) in [
        (Format::Squashfs, b"hsqs".to_vec()),
        (Format::Iso, [vec![0; 16 * 2048], b"\x01CD001\x01".to_vec()].concat()),
        (Format::Fat, b"\xeb\x3c\x90".to_vec()),
        (Format::Initramfs, b"070701".to_vec()),
        (Format::Elf, b"\x7fELF\x02\x01".to_vec()),
    ] {
        let source: Shared = Arc::new(Bytes(start));
        let Err(error) = Layer::open(format, source, &Budget::for_size(0)) else {
            panic!("{format:?} opened");
        };
        assert!(error.to_string().contains(" at offset 0x"), "{error}");
        assert!(error.why.contains("wanted"), "{error}");
    }
}

/// Offset of `needle`, which must be in `bytes` once.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    let mut found = bytes.windows(needle.len()).enumerate().filter(|(_, w)| *w == needle);
    let (at, _) = found.next().unwrap();
    assert!(found.next().is_none(), "{needle:?} is there twice");
    at
}

fn expect(bytes: Vec<u8>, layer: &str, why: &str) -> Error {
    let error = read(bytes).unwrap_err();
    assert!(error.layer == layer && error.why.contains(why), "{error}");
    error
}

/// Offset of the inode table and of the root in it, in a squashfs whose metadata is not compressed.
fn squashfs_root(bytes: &[u8]) -> (usize, u16) {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    (number(64) as usize, number(32) as u16)
}

#[test]
fn a_folder_in_itself() {
    // squashfs: the entry `loop` of `etc` names the root
    let mut squashfs = fixture("plain.squashfs");
    let (_, root) = squashfs_root(&squashfs);
    let entry = find(&squashfs, b"\x01\0\x03\0loop") - 4;
    squashfs[entry..entry + 2].copy_from_slice(&root.to_le_bytes());
    expect(squashfs, "squashfs", "a folder is in two folders, or in itself");

    // ISO 9660: the extent of LOOP is that of the root
    let mut iso = fixture("hybrid.iso");
    let root = iso[16 * 2048 + 156 + 2..][..8].to_vec();
    let record = find(&iso, b"\x01\x04LOOP") - 31;
    iso[record + 2..record + 10].copy_from_slice(&root);
    expect(iso, "ISO 9660", "a folder is in two folders, or in itself");

    // FAT: the cluster of `loop` is that of EFI
    let mut fat = fixture("fat12.img");
    let [efi, inner] = [b"EFI        \x10", b"LOOP       \x10"].map(|name| find(&fat, name));
    let cluster = fat[efi + 26..efi + 28].to_vec();
    fat[inner + 26..inner + 28].copy_from_slice(&cluster);
    expect(fat, "FAT", "a folder is in two folders, or in itself");
}

#[test]
fn a_chain_of_clusters_that_loops() {
    let mut fat = fixture("fat12.img");
    let file = find(&fat, b"ALONGN~1EFI");
    let cluster = usize::from(fat[file + 26]);
    // the third cluster of the file is followed by the first, in twelve bits
    let at = 512 + (cluster + 2) * 3 / 2;
    let pair = u16::from_le_bytes([fat[at], fat[at + 1]]);
    let pair = if (cluster + 2).is_multiple_of(2) {
        pair & 0xf000 | cluster as u16
    } else {
        pair & 0x000f | (cluster as u16) << 4
    };
    fat[at..at + 2].copy_from_slice(&pair.to_le_bytes());
    // its size still ends it; a size that doesn't runs into the loop
    fat[file + 28..file + 32].copy_from_slice(&u32::MAX.to_le_bytes());
    expect(fat, "FAT", "loops");
}

#[test]
fn more_inodes_than_there_can_be() {
    // what the superblock says of their number is not believed
    let mut squashfs = fixture("plain.squashfs");
    squashfs[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(read(squashfs).is_ok());

    // a folder of 4 GiB
    let mut squashfs = fixture("plain.squashfs");
    let (table, root) = squashfs_root(&squashfs);
    let inode = table + 2 + usize::from(root);
    assert_eq!(squashfs[inode], 1, "the root is a basic folder");
    squashfs[inode + 24..inode + 26].copy_from_slice(&u16::MAX.to_le_bytes());
    read(squashfs).unwrap_err();

    // a folder with all entries that can stand behind one header, again and again
    let names = Budget::new(UNPACKED, 10);
    let source: Shared = Arc::new(Bytes(fixture("gzip.squashfs")));
    let error = describe(&source, &names).unwrap_err();
    assert!(error.why.contains("entries"), "{error}");
}

#[test]
fn a_file_of_more_blocks_than_there_are() {
    let mut squashfs = fixture("plain.squashfs");
    let (table, _) = squashfs_root(&squashfs);
    // the size of usr/bin/numbers, 18893 bytes, in its inode
    let size = table + find(&squashfs[table..], &18_893_u32.to_le_bytes());
    squashfs[size..size + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = read(squashfs).unwrap_err();
    assert_eq!(error.layer, "squashfs");
}

#[test]
fn bombs() {
    use std::io::Write as _;
    // 64 MiB of zeros in a gzip in a gzip
    let mut bomb = vec![0; 64 << 20];
    for _ in 0..2 {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bomb).unwrap();
        bomb = gzip.finish().unwrap();
    }
    assert!(bomb.len() < 100_000);
    expect(bomb, "gzip", "unpacks to far more");

    // an archive of empty members
    let member = |name: &str| {
        let numbers = [0, 0o100_644, 0, 0, 1, 0, 0, 0, 0, 0, 0, name.len() + 1, 0];
        let mut bytes = b"070701".to_vec();
        numbers.iter().for_each(|n| bytes.extend(format!("{n:08x}").bytes()));
        bytes.extend(name.bytes());
        bytes.resize(bytes.len() / 4 * 4 + 4, 0);
        bytes
    };
    expect(member("a").repeat(ENTRIES as usize + 1), "cpio", "entries");
}

#[test]
fn names_that_lead_elsewhere() {
    let mut squashfs = fixture("plain.squashfs");
    let name = find(&squashfs, b"\x07\0hostname") + 2;
    squashfs[name..name + 8].copy_from_slice(b"../host/");
    expect(squashfs, "squashfs", "leads out of its folder");

    let mut iso = fixture("hybrid.iso");
    let name = find(&iso, b"NM\x0d\x01\0hostname");
    iso[name + 5..name + 13].copy_from_slice(b"../etc/x");
    expect(iso, "ISO 9660", "leads out of its folder");
}

#[test]
fn folders_without_an_end() {
    let image = diskimage::open(&support::fixture_path("gzip.squashfs")).unwrap();
    let tree = image.layer.tree();
    let root = tree.root().unwrap();
    let error = Walked::default().enter(&*tree, &root, 100_000).unwrap_err();
    assert!(error.why.contains("deep"), "{error}");
}
