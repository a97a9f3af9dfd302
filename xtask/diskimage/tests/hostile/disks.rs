//! zip, PE and disks.

use super::*;

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
