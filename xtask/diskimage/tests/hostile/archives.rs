//! Archives and streams.

use super::*;

#[test]
fn bytes_behind_the_end_are_a_part() {
    let mut tar = fixture("gnu.tar");
    let end = tar.len();
    tar[end - 512..end - 508].copy_from_slice(b"EVIL");
    find(&part(&*open(tar), "[behind the archive]").unwrap(), b"EVIL");

    let xz = [fixture("text.xz"), b"EVIL".to_vec()].concat();
    find(&part(&*open(xz), "[behind the stream]").unwrap(), b"EVIL");

    let frame = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"EVIL"].concat();
    let zstd = [fixture("text.zst"), frame].concat();
    find(&part(&*open(zstd), "[skipped frames]").unwrap(), b"EVIL");
}

#[test]
fn a_decoder_is_not_used_after_its_error() {
    // bzip2's aborted the process
    let whole = fixture("text.bz2");
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut bent = whole.clone();
            bent[at] ^= 1 << bit;
            let Ok(Some(layer)) = Layer::of(&shared(bent), &Budget::for_size(0)) else { continue };
            let tree = layer.tree();
            let (_, node) = root(&*tree).pop().unwrap();
            let source = tree.open(&node).unwrap().source();
            let first = diskimage::sha256(&*source);
            assert_eq!(first, diskimage::sha256(&*source), "bit {bit} of byte {at}");
            assert_eq!(source.size().is_ok(), first.is_ok());
        }
    }
}

#[test]
fn sizes_that_no_disk_has() {
    // tar: a size of 2^63 - 512 in an extended header
    let record = "28 size=9223372036854775296\n";
    let member = |kind: u8, size: usize| {
        let mut header = vec![0; 512];
        header[0] = b'f';
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        header[148..156].fill(b' ');
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    };
    let mut tar = member(b'x', record.len());
    tar.extend(record.bytes());
    tar.resize(1024, 0);
    tar.extend(member(b'0', 0));
    refused(read(tar), "tar", "of which 0 are there");

    // cpio: a name of 4 GiB
    let mut cpio = b"070701".to_vec();
    cpio.extend(b"0".repeat(88));
    cpio.extend(b"FFFFFFFF00000000");
    refused(read(cpio), "cpio", "a name of 4294967295 bytes");

    // zstd: a window of 1 GiB
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0, 20 << 3, 1, 0, 0];
    let error = read(zstd.to_vec()).unwrap_err();
    assert!(error.layer == "zstd" && error.why.contains("too much memory"), "{error}");
}

#[test]
fn archives_in_archives_without_an_end() {
    let mut inner = b"text".to_vec();
    for _ in 0..100 {
        let mut header = vec![0; 512];
        header[0] = b'f';
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", inner.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header.extend(&inner);
        header.resize(header.len().next_multiple_of(512) + 1024, 0);
        inner = header;
    }
    // each layer reads all layers in it once: a hundred of them are no more than a hundred times that
    let source = Counted::new(inner.clone());
    let budget = Budget::for_size(inner.len() as u64);
    let mut at: Shared = source.clone();
    let mut depth = 0;
    while let Some(layer) = Layer::of(&at, &budget).unwrap() {
        let tree = layer.tree();
        let (_, node) = root(&*tree).pop().unwrap();
        at = tree.open(&node).unwrap().source();
        depth += 1;
    }
    assert_eq!(depth, 100);
    let read = source.read.load(std::sync::atomic::Ordering::Relaxed);
    assert!(read < 1000 * inner.len() as u64, "{read}");
}

#[test]
fn a_compressed_archive_is_unpacked_once() {
    use std::io::Write as _;
    // members that are longer than what is kept of a stream to go back in it, and no multiple of four
    let mut archive = Vec::new();
    for (name, len) in [("a", 5_000_001_usize), ("bb", 5_000_002), ("ccc", 5_000_003)] {
        archive.extend(cpio_header(name, len));
        archive.extend((0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8));
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive.extend(cpio_header("TRAILER!!!", 0));
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&archive).unwrap();
    let packed = packer.finish().unwrap();
    let len = packed.len() as u64;

    let source = Counted::new(packed);
    let shared: Shared = source.clone();
    let tree = Layer::of(&shared, &Budget::for_size(len)).unwrap().unwrap().tree();
    assert_eq!(root(&*tree).len(), 3);
    let read = source.read.load(std::sync::atomic::Ordering::Relaxed);
    assert!(read < len + (1 << 20), "{read} bytes were read of {len}");
}

fn cpio_header(name: &str, len: usize) -> Vec<u8> {
    let numbers = [1, 0o100_644, 0, 0, 1, 0, len, 0, 0, 0, 0, name.len() + 1, 0];
    let numbers: String = numbers.iter().map(|number| format!("{number:08X}")).collect();
    let mut header = format!("070701{numbers}{name}\0").into_bytes();
    header.resize(header.len().next_multiple_of(4), 0);
    header
}
