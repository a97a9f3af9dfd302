//! squashfs.

use super::*;

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
