//! ISO 9660.

use super::*;

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
