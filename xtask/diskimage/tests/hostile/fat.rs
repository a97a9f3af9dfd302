//! FAT.

use super::*;

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
