//! Images that were made to do harm: small ones that cost hours or gigabytes, and ones that claim
//! something so that bytes are skipped. Work is counted, and memory too, never timed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use diskimage::source::Bytes;
use diskimage::{Budget, Error, Kind, Layer, Node, Result, Shared, Tree};
use std::sync::Arc;
use support::disc;
use support::squash::{Claims, NONE, Squash};
use support::{Counted, describe, fixture};

fn shared(bytes: Vec<u8>) -> Shared {
    Arc::new(Bytes(bytes))
}

/// Reads all of an image with the budget of its size, and of the layers in it.
fn read(bytes: Vec<u8>) -> Result<String> {
    let budget = Budget::for_size(bytes.len() as u64);
    describe(&shared(bytes), &budget)
}

/// The same, with a budget that is spent sooner.
fn read_little(bytes: Vec<u8>) -> Result<String> {
    describe(&shared(bytes), &Budget::new(64 << 20, 100_000))
}

fn refused(result: Result<String>, layer: &str, why: &str) -> Error {
    let error = result.expect_err("it was read");
    assert!(error.layer == layer && error.why.contains(why), "{error}");
    error
}

/// The names and entries of the root.
fn root(tree: &dyn Tree) -> Vec<(Vec<u8>, Node)> {
    tree.list(&tree.root().unwrap()).unwrap()
}

fn open(bytes: Vec<u8>) -> Arc<dyn Tree> {
    let budget = Budget::for_size(bytes.len() as u64);
    Layer::of(&shared(bytes), &budget).unwrap().unwrap().tree()
}

/// The bytes of a part.
fn part(tree: &dyn Tree, name: &str) -> Option<Vec<u8>> {
    let part = tree.parts().unwrap().into_iter().find(|part| part.name == name)?;
    let diskimage::PartContent::Bytes(source) = part.what else { panic!("{name} is a tree") };
    Some(source.up_to(0, 1 << 20).unwrap())
}

/// Offset of `needle` in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

// ---- squashfs ----

/// A squashfs of one folder with these files.
fn flat(mut squash: Squash, files: Vec<u64>) -> Vec<u8> {
    let entries: Vec<_> =
        files.into_iter().enumerate().map(|(i, file)| (format!("f{i:05}"), file, 2)).collect();
    let root = squash.folder(&entries);
    squash.finish(root)
}

#[test]
fn attributes_that_thousands_of_links_share() {
    let mut squash = Squash::default();
    for n in 0..15 {
        squash.attribute(&format!("a{n}"), &[7; 65_000]);
    }
    let claims = Claims { number: 2, links: 3000, size: 0, xattrs: 0 };
    let file = squash.claimed(claims, 96, &[]);
    let image = flat(squash, vec![file; 3000]);
    refused(read(image), "squashfs", "bytes of memory: the rest was not read");
}

#[test]
fn a_hole_of_sixteen_gigabytes_costs_what_is_read_of_it() {
    let mut squash = Squash::default();
    let claims = Claims { number: 2, links: 1, size: 4096 << 22, xattrs: NONE };
    let file = squash.claimed(claims, 96, &vec![0; 4 << 20]);
    // 16 MiB of them are the list of blocks
    let budget = Budget::new(64 << 20, 1000);
    let layer = Layer::of(&shared(flat(squash, vec![file])), &budget).unwrap().unwrap();
    let tree = layer.tree();
    let (_, node) = root(&*tree).pop().unwrap();
    let source = tree.open(&node).unwrap().source();
    assert_eq!(source.up_to(1 << 33, 10).unwrap(), [0; 10]);
    let error = diskimage::sha256(&*source).unwrap_err();
    assert!(error.why.contains("the rest was not read"), "{error}");
}

#[test]
fn a_list_of_blocks_that_thousands_of_names_share() {
    let mut squash = Squash::default();
    let claims = Claims { number: 2, links: 1, size: 4096 << 22, xattrs: NONE };
    let file = squash.claimed(claims, 96, &vec![0; 4 << 20]);
    let tree = open(flat(squash, vec![file; 3000]));
    // listing does not read them; opening all at once takes more memory than there is
    let files = root(&*tree);
    let error = files
        .iter()
        .map(|(_, node)| tree.open(node))
        .collect::<Result<Vec<_>>>()
        .err()
        .expect("3000 lists of 16 MiB");
    assert!(error.why.contains("bytes of memory"), "{error}");
}

#[test]
fn a_thousand_folders_deep() {
    let mut squash = Squash::default();
    let mut inner = squash.folder(&[]);
    for _ in 0..1020 {
        inner = squash.folder(&[("d".into(), inner, 1)]);
    }
    refused(read(squash.finish(inner)), "squashfs", "deep: what is below was not read");
}

#[test]
fn inodes_and_blocks_that_no_folder_reaches() {
    let image = |hidden: bool, between: &[u8]| {
        let mut squash = Squash::default();
        let file = squash.file(b"one\n", 2, 1);
        squash.between(between);
        if hidden {
            squash.file(b"evil\n", 3, 1);
        }
        open(flat(squash, vec![file]))
    };
    let plain = image(false, b"");
    let hidden = image(true, b"");
    assert_ne!(part(&*plain, "[in no folder]"), part(&*hidden, "[in no folder]"));
    assert_eq!(part(&*hidden, "[between the blocks]").unwrap(), b"evil\n");
    assert_eq!(part(&*plain, "[between the blocks]"), None);
    assert_eq!(part(&*image(false, b"evil"), "[between the blocks]").unwrap(), b"evil");
}

#[test]
fn an_export_table_that_names_another_inode() {
    let image = fixture("gzip.squashfs");
    // its blocks are compressed: the place of the table of owners instead
    let mut other = image.clone();
    other.copy_within(48..56, 88);
    assert_eq!(part(&*open(image), "[in no folder]"), None);
    assert!(open(other).parts().is_err(), "an owner is taken for the place of an inode");
}

#[test]
fn an_inode_number_is_no_identity() {
    let mut squash = Squash::default();
    let honest = squash.file(b"honest", 5, 2);
    let forged = squash.file(b"forged", 5, 2);
    let tree = open(flat(squash, vec![honest, honest, forged]));
    let inodes: Vec<_> = root(&*tree).iter().map(|(_, node)| node.metadata.inode).collect();
    assert!(inodes[0].is_some() && inodes[0] == inodes[1] && inodes[0] != inodes[2]);
}

#[test]
fn blocks_behind_the_end_of_the_image() {
    let mut squash = Squash::default();
    let claims = Claims { number: 2, links: 1, size: 4096, xattrs: NONE };
    let file = squash.claimed(claims, u64::MAX - 4096, &[1 << 24 | 4096]);
    refused(read(flat(squash, vec![file])), "squashfs", "wanted");
}

// ---- ISO 9660 ----

#[test]
fn names_of_sixty_kilobytes() {
    // each record takes its name from the same continuation areas
    let piece = disc::entry(b"NM", &[&[0][..], &[b'n'; 250]].concat());
    let mut area: Vec<u8> = Vec::new();
    while area.len() + piece.len() <= 30_000 {
        area.extend(&piece);
    }
    let area_len = area.len() as u32;
    let areas = disc::continuation(40, 0, area_len);
    let [own, parent] = disc::dots(18, 4096, &disc::rock_ridge());
    let file = |n: usize| {
        let name = format!("F{n:03}.;1");
        disc::record(name.as_bytes(), 30, 0, false, &areas)
    };
    let mut records = vec![own, parent];
    records.extend((0..30).map(file));
    let root = disc::records(&records);
    let mut more = vec![0; (40 - 18) * 2048 - root.len()];
    more.extend(area);
    more.resize(more.len().next_multiple_of(2048), 0);
    refused(read(disc::image(&root, &more)), "ISO 9660", "a name of more than 1024 bytes");
}

#[test]
fn a_continuation_area_that_continues_in_itself() {
    let [own, parent] = disc::dots(18, 2048, &disc::rock_ridge());
    let file = disc::record(b"F.;1", 30, 0, false, &disc::continuation(19, 0, 28));
    let root = disc::records(&[own, parent, file]);
    let mut more = disc::continuation(19, 0, 28);
    more.resize(2048, 0);
    refused(read(disc::image(&root, &more)), "ISO 9660", "continuation areas without an end");
}

#[test]
fn folders_that_share_their_records() {
    // each folder begins a sector later in the same records: a hundred folders cost nothing
    let sectors = 150_u32;
    let mut bytes = Vec::new();
    for n in 0..sectors {
        let next = 18 + n + 1;
        let [own, parent] = disc::dots(18 + n, (sectors - n) * 2048, &[]);
        let inner = disc::record(b"D", next, (sectors - n - 1) * 2048, true, &[]);
        let files = (0..40).map(|i| disc::record(format!("F{i}").as_bytes(), 16, 2048, false, &[]));
        let mut records = if n == 0 { vec![own, parent] } else { Vec::new() };
        records.push(inner);
        records.extend(files);
        let mut sector = disc::records(&records);
        sector.truncate(2048);
        bytes.extend(sector);
    }
    let error = read_little(disc::image(&bytes, &[])).unwrap_err();
    assert_eq!(error.layer, "ISO 9660", "{error}");
}

#[test]
fn ten_thousand_names_of_the_same_bytes() {
    let [own, parent] = disc::dots(18, 0, &[]);
    let mut records = vec![own, parent];
    let file = |n: usize| disc::record(format!("F{n:05}").as_bytes(), 16, 1 << 20, false, &[]);
    records.extend((0..10_000).map(file));
    let mut root = disc::records(&records);
    let len = root.len() as u32;
    root[10..14].copy_from_slice(&len.to_le_bytes());
    let image = disc::image(&root, &vec![1; 1 << 20]);
    refused(read_little(image), "ISO 9660", "far more than an image of this size should");
}

#[test]
fn a_path_table_that_claims_the_whole_image() {
    let mut image = fixture("hybrid.iso");
    let volume = 16 * 2048;
    image[volume + 132..volume + 136].copy_from_slice(&u32::MAX.to_le_bytes());
    // behind the end of a file, in its last sector
    let at = find(&image, b"silvermetal\n") + 100;
    image[at..at + 6].copy_from_slice(b"hidden");
    let rest = part(&*open(image), "[between the files]").unwrap();
    find(&rest, b"hidden");
}

#[test]
fn records_that_say_two_things() {
    // the big-endian copy of a size, which some readers take
    let mut image = fixture("hybrid.iso");
    let record = find(&image, b"HOSTNAME.;1") - 33;
    image[record + 14..record + 18].copy_from_slice(&[0, 0, 0, 99]);
    let tree = open(image);
    let node = diskimage::find(&*tree, b"etc/hostname").unwrap().unwrap();
    assert!(node.metadata.more.iter().any(|(name, _)| *name == "rest of the record"));
    // a flag that hides a file from some readers
    let mut image = fixture("hybrid.iso");
    image[record + 25] |= 1;
    let tree = open(image);
    let node = diskimage::find(&*tree, b"etc/hostname").unwrap().unwrap();
    assert!(node.metadata.more.iter().any(|(name, _)| *name == "rest of the record"));
}

// ---- FAT ----

/// A FAT12 of `clusters` clusters of a sector with these entries in the root.
fn fat(table: &[u8], entries: &[[u8; 32]], data: &[u8], sectors: u32) -> Vec<u8> {
    let mut image = vec![0; 512];
    image[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    image[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, 0, 0, 0xf8, 1, 0]);
    image[32..36].copy_from_slice(&sectors.to_le_bytes());
    image[54..62].copy_from_slice(b"FAT12   ");
    image[510..].copy_from_slice(&[0x55, 0xaa]);
    image.extend(table);
    image.resize(1024, 0);
    entries.iter().for_each(|entry| image.extend(entry));
    image.resize(1536, 0);
    image.extend(data);
    image
}

fn fat_entry(name: &[u8; 11], attributes: u8, cluster: u16, size: u32) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..11].copy_from_slice(name);
    entry[11] = attributes;
    entry[26..28].copy_from_slice(&cluster.to_le_bytes());
    entry[28..].copy_from_slice(&size.to_le_bytes());
    entry
}

#[test]
fn a_folder_whose_clusters_loop() {
    // cluster 2 is followed by 3, and 3 by 2
    let table = [0xf8, 0xff, 0xff, 3, 0x20, 0];
    let entries = [fat_entry(b"LOOP       ", 0x10, 2, 0)];
    let image = fat(&table, &entries, &[1; 2048], 3000);
    refused(read(image), "FAT", "a chain of clusters that loops");
}

#[test]
fn deleted_files_and_other_tables_are_exposed() {
    let mut image = fixture("fat12.img");
    // a deleted entry behind the others of the root, and bytes in a cluster that is free
    let root = find(&image, b"LABEL      \x08");
    image[root + 64..root + 75].copy_from_slice(b"\xe5ELETEDTXT ");
    let end = image.len();
    image[end - 512..end - 503].copy_from_slice(b"leftover!");
    let tree = open(image);
    find(&part(&*tree, "[rest of the directories]").unwrap(), b"ELETEDTXT");
    find(&part(&*tree, "[outside of the files]").unwrap(), b"leftover!");
}

#[test]
fn a_size_that_its_chain_does_not_have() {
    let entries: Vec<_> = (0..16).map(|_| fat_entry(b"SAME    BIN", 0, 2, 1 << 31)).collect();
    let mut table = vec![0xf8, 0xff, 0xff];
    table.resize(512, 0xff);
    // the chain ends at once, whatever the size says
    refused(read(fat(&table, &entries, &[1; 4096], 100)), "FAT", "bytes short");
}

// ---- archives and streams ----

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

// ---- zip, PE, disks ----

#[test]
fn a_zip_whose_entries_share_one_member() {
    use std::io::Write as _;
    // 16 MiB of zeros, named a thousand times
    let zeros = vec![0; 16 << 20];
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&zeros).unwrap();
    let packed = deflate.finish().unwrap();
    let numbers = [0, packed.len() as u32, zeros.len() as u32].map(u32::to_le_bytes).concat();
    let common = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0][..], &numbers, &[1, 0, 0, 0]].concat();
    let mut zip = [b"PK\x03\x04", &common[..], b"f", &packed].concat();
    let start = zip.len() as u32;
    for _ in 0..1000 {
        zip.extend([b"PK\x01\x02\x14\x00", &common[..], &[0; 14], b"f"].concat());
    }
    let len = zip.len() as u32 - start;
    zip.extend(b"PK\x05\x06\0\0\0\0\xe8\x03\xe8\x03");
    zip.extend([len, start].map(u32::to_le_bytes).concat());
    zip.extend([0, 0]);
    let error = read_little(zip).unwrap_err();
    assert!(error.why.contains("far more than an image of this size should"), "{error}");
}

#[test]
fn a_zip_that_hides_a_member() {
    // bytes between the members, and a local header that says another name
    let zip = fixture("small.zip");
    let name = find(&zip, b"etc/hostname");
    let mut other = zip.clone();
    other[name..name + 12].copy_from_slice(b"etc/hostnam3");
    let tree = open(other);
    let node = diskimage::find(&*tree, b"etc/hostname").unwrap().unwrap();
    let rest = node.metadata.more.iter().find(|(name, _)| *name == "rest of the header").unwrap();
    assert!(rest.1.contains("hostnam3"), "{rest:?}");
    let mut wrong = zip.clone();
    let at = find(&zip, b"silvermetal");
    wrong[at] = b'S';
    let tree = open(wrong);
    let node = diskimage::find(&*tree, b"etc/hostname").unwrap().unwrap();
    assert!(node.metadata.more.iter().any(|(name, _)| *name == "wrong checksum"));
    let more = [&zip[..], b"EVIL"].concat();
    find(&part(&*open(more), "[between the members]").unwrap(), b"EVIL");
}

#[test]
fn a_disk_says_what_its_tables_do_not_tell() {
    let disk = fixture("disk.img");
    assert!(part(&*open(disk.clone()), "[rest of the partition tables]").is_none());
    // an unused entry of the table, a checksum, the backup
    let end = disk.len();
    for at in [1024 + 3 * 128 + 40, 512 + 17, end - 512 + 16, end - 1024] {
        let mut bent = disk.clone();
        bent[at] ^= 1;
        assert!(part(&*open(bent), "[rest of the partition tables]").is_some(), "{at}");
    }
    let mut between = disk.clone();
    between[end - 20_000..end - 19_996].copy_from_slice(b"EVIL");
    find(&part(&*open(between), "[between the partitions]").unwrap(), b"EVIL");
    // a thousand partitions of the whole disk
    let mut many = disk;
    for index in 0..128 {
        let at = 1024 + index * 128;
        let entry = [&[1; 16][..], &[index as u8; 16], &[34, 0, 0, 0, 0, 0, 0, 0, 100]].concat();
        many[at..at + entry.len()].copy_from_slice(&entry);
    }
    let budget = Budget::new(1 << 20, 1000);
    let error = describe(&shared(many), &budget).unwrap_err();
    assert!(error.why.contains("the rest was not read"), "{error}");
}

#[test]
fn a_file_system_behind_a_program() {
    let image = [fixture("small.elf"), fixture("gzip.squashfs")].concat();
    let text = read(image).unwrap();
    assert!(text.contains("[behind the program]") && text.contains("etc/hostname file"), "{text}");
}

#[test]
fn sections_beyond_the_end_of_a_program() {
    let mut efi = fixture("small.efi");
    let section = find(&efi, b".initrd\0");
    efi[section + 8..section + 12].fill(0xff);
    efi[section + 16..section + 20].fill(0xff);
    refused(read(efi), "PE", "a section that ends behind the file");
}

#[test]
fn a_checksum_of_a_program_that_is_right_or_wrong() {
    let mut image = fixture("small.efi");
    let start = u32::from_le_bytes(image[0x3c..0x40].try_into().unwrap()) as usize;
    let at = start + 88;
    let headers =
        |image: &[u8]| part(&*open(image.to_vec()), "[headers]").unwrap()[at..at + 4].to_vec();
    image[at..at + 4].fill(0);
    let words =
        image.chunks(2).map(|word| u64::from(word[0]) | u64::from(*word.get(1).unwrap_or(&0)) << 8);
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let right = (sum + image.len() as u64) as u32;
    image[at..at + 4].copy_from_slice(&right.to_le_bytes());
    assert_eq!(headers(&image), [0; 4]);
    image[at..at + 4].copy_from_slice(&(right ^ 1).to_le_bytes());
    assert_eq!(headers(&image), (right ^ 1).to_le_bytes());
}

/// A disk with two logical partitions in an extended one.
#[test]
fn logical_partitions_are_files() {
    let mut image = vec![0_u8; 40 * 512];
    let mut table = |sector: usize, entry: usize, kind: u8, start: u32, len: u32| {
        let at = sector * 512 + 446 + entry * 16;
        image[at + 4] = kind;
        image[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
        image[at + 12..at + 16].copy_from_slice(&len.to_le_bytes());
        image[sector * 512 + 510..sector * 512 + 512].copy_from_slice(&[0x55, 0xaa]);
    };
    table(0, 0, 0x83, 1, 4);
    table(0, 1, 0x05, 8, 30);
    table(8, 0, 0x83, 1, 3);
    table(8, 1, 0x05, 10, 20);
    table(18, 0, 0x83, 2, 5);
    image[20 * 512..][..5].copy_from_slice(b"inner");
    let tree = open(image.clone());
    let sizes: Vec<_> = root(&*tree).iter().map(|(_, node)| node.metadata.size).collect();
    assert_eq!(sizes, [4 * 512, 3 * 512, 5 * 512]);
    let (_, last) = root(&*tree).pop().unwrap();
    assert_eq!(tree.open(&last).unwrap().source().up_to(0, 5).unwrap(), b"inner");
    // the boot records of the logical partitions are no part of a table that is told
    assert!(part(&*tree, "[between the partitions]").unwrap().len() > 1024);
    // a chain that leads back is none
    image[8 * 512 + 462 + 8..][..4].copy_from_slice(&0_u32.to_le_bytes());
    assert!(Layer::of(&shared(image), &Budget::new(1 << 20, 100)).unwrap().is_none());
}

#[test]
fn an_ext4_that_names_the_same_blocks_for_ever() {
    let image = fixture("ext4.img");
    // the first extent of the root: its block, the length, the depth of the tree
    let header = find(&image, b"\x0a\xf3\x01\0\x04\0\0\0");
    // a tree of extents whose node is not one
    let mut deep = image.clone();
    deep[header + 6] = 5;
    refused(read(deep), "ext4", "wanted");
    // an extent behind the end
    let mut far = image.clone();
    far[header + 12 + 8..header + 12 + 12].fill(0xff);
    refused(read(far), "ext4", "wanted");
    // `loop` in `etc` is the root
    let mut again = image;
    let entry = find(&again, b"\x04\x02loop") - 6;
    again[entry..entry + 4].copy_from_slice(&[2, 0, 0, 0]);
    refused(read(again), "ext4", "a folder is in two folders, or in itself");
}

#[test]
fn formats_that_are_not_read_have_names() {
    let mut xfs = b"XFSB".to_vec();
    xfs.resize(4096, 0);
    let mut erofs = vec![0; 1024];
    erofs.extend(b"\xe2\xe1\xf5\xe0");
    for (bytes, name) in [
        (b"\x89LZO\0\r\n\x1a\n....".to_vec(), "lzop"),
        (b"LZIP\x01....".to_vec(), "lzip"),
        (b"SQLite format 3\0....".to_vec(), "SQLite database"),
        (xfs, "XFS file system"),
        (erofs, "erofs file system"),
    ] {
        let source = shared(bytes);
        assert_eq!(diskimage::unread_format(&source).unwrap(), Some(name));
        assert!(Layer::of(&source, &Budget::for_size(0)).unwrap().is_none());
    }
    for name in support::FIXTURES {
        assert_eq!(diskimage::unread_format(&shared(fixture(name))).unwrap(), None, "{name}");
    }
    let text = shared(b"a text named initrd.target".to_vec());
    assert_eq!(diskimage::unread_format(&text).unwrap(), None);
}

// ---- files of this machine ----

#[test]
fn what_is_no_regular_file_is_refused() {
    for path in ["/dev/null", "/dev/zero", "/proc/self/status", "/proc/self/fd"] {
        let error = diskimage::source::LocalFile::open(path.as_ref()).err().unwrap();
        assert!(error.to_string().contains("copy it to a file first"), "{path}: {error}");
    }
}

#[test]
fn attributes_of_files_of_this_machine_are_read() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-attributes");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), "text").unwrap();
    match xattr::set(folder.join("file"), "user.note", b"value") {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return,
        set => set.unwrap(),
    }
    let tree = diskimage::Folder::open(&folder);
    let (_, node) = root(&tree).pop().unwrap();
    assert_eq!(node.metadata.kind, Kind::File);
    let expected = (b"user.note".to_vec(), b"value".to_vec());
    assert!(node.metadata.xattrs.contains(&expected), "{:?}", node.metadata.xattrs);
}

#[test]
fn every_byte_of_the_end_of_a_zip_is_told() {
    let mut end = b"PK\x05\x06".to_vec();
    end.resize(22, 0);
    let plain = read(end.clone()).unwrap();
    for at in 4..end.len() {
        let mut other = end.clone();
        other[at] = 1;
        // it is refused, or described otherwise
        assert_ne!(read(other).ok().as_ref(), Some(&plain), "byte {at}");
    }
}
