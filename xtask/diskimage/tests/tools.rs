//! Images of the real tools, compared with the tree that they were made from.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests; they make images")]

mod support;

use diskimage::{Folder, Kind, Layer, Metadata, PartContent, Tree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, process};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A folder with a tree in it, removed when dropped.
struct Scratch(PathBuf);

/// Files that are empty, small, of several blocks, sparse, or not compressible; many names, long and
/// odd ones.
const TREE: &str = r"
mkdir -p tree/{many,deep/1/2/3/4/5/6/7/8/9,empty}
cd tree
: >nothing
seq 1 500000 >large
seq 1 500000 | gzip -9n >dense
truncate -s 3000001 hole
{ truncate -s 2M hole2; echo end >>hole2; }
for i in $(seq 1 700); do echo $i >many/file-$i; done
echo deep >deep/1/2/3/4/5/6/7/8/9/file
ln -s large short; ln -s $(printf 'component/%.0s' {1..15})end long-link
ln large large-too
echo odd >'a name with blanks, ümlauts and a
line'
echo long >$(printf 'n%.0s' {1..240})
chmod 4711 dense; chmod 700 empty
find . -exec touch -hd @1750000001 {} +
touch -d @123456789 nothing
";

impl Scratch {
    fn new() -> Scratch {
        let name = format!("tools-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let scratch = Scratch(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        fs::create_dir_all(&scratch.0).unwrap();
        scratch.sh(TREE);
        scratch
    }

    fn sh(&self, script: &str) {
        let script = format!("set -euo pipefail; export LC_ALL=C.UTF-8 TZ=UTC; {script}");
        let out = Command::new("bash").args(["-c", &script]).current_dir(&self.0).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn open(&self, name: &str) -> Layer {
        diskimage::open(&self.0.join(name)).unwrap().layer
    }

    /// The tree that the images are made of.
    fn tree(&self) -> BTreeMap<Vec<u8>, String> {
        contents(&Folder::open(&self.0.join("tree")), &|_| ())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Metadata and hash by path. `forget` removes what a format does not hold.
fn contents(tree: &dyn Tree, forget: &dyn Fn(&mut Metadata)) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    diskimage::walk(tree, &mut |path, node| {
        let mut about = node.metadata.clone();
        if about.kind == Kind::Folder {
            about.links = None;
        }
        about.xattrs.clear();
        about.more.clear();
        forget(&mut about);
        let mut line = support::show(&about);
        if about.kind == Kind::File {
            line.push(' ');
            line.push_str(&support::hash(&tree.open(node)?)?);
        }
        assert!(all.insert(path.to_vec(), line).is_none());
        Ok(())
    })
    .unwrap();
    all
}

fn assert_same(found: &BTreeMap<Vec<u8>, String>, expected: &BTreeMap<Vec<u8>, String>, of: &str) {
    for (path, expected) in expected {
        let path_text = String::from_utf8_lossy(path);
        assert_eq!(found.get(path), Some(expected), "{of}: {path_text}");
    }
    assert_eq!(found.len(), expected.len(), "{of}");
}

#[test]
#[ignore = "needs squashfs-tools: cargo xtask test --full"]
fn squashfs_of_every_compressor() {
    let scratch = Scratch::new();
    let expected = scratch.tree();
    for options in [
        "-comp gzip",
        "-comp gzip -Xcompression-level 1 -Xwindow-size 9 -b 4096",
        "-comp gzip -noI -noD -noF -noX",
        "-comp gzip -noD -no-exports",
        "-comp lzo",
        "-comp lzo -Xalgorithm lzo1x_1 -b 1M",
        "-comp lz4",
        "-comp lz4 -Xhc -b 64K",
        "-comp xz",
        "-comp xz -Xbcj x86 -b 1M",
        "-comp xz -Xdict-size 8K -b 1M",
        "-comp zstd",
        "-comp zstd -Xcompression-level 22 -b 1M",
        "-comp zstd -no-fragments",
        "-comp zstd -always-use-fragments -b 16K",
        "-comp zstd -no-duplicates -no-sparse",
    ] {
        scratch.sh(&format!("mksquashfs tree i.squashfs {options} -noappend -quiet -no-progress"));
        let found = contents(&*scratch.open("i.squashfs").tree(), &|_| ());
        assert_same(&found, &expected, options);
    }
}

/// ISO 9660 has no hard links; Rock Ridge's count of them is xorriso's own.
fn without_links(about: &mut Metadata) {
    about.links = None;
}

#[test]
#[ignore = "needs xorriso and genisoimage: cargo xtask test --full"]
fn iso_with_rock_ridge_and_joliet() {
    let scratch = Scratch::new();
    let expected = contents(&Folder::open(&scratch.0.join("tree")), &without_links);
    for make in [
        "xorriso -as mkisofs -quiet -R -J -joliet-long -o i.iso tree",
        // folders deeper than eight are moved, and found where they belong
        "genisoimage -quiet -R -J -joliet-long -o i.iso tree",
    ] {
        scratch.sh(&format!("{make} 2>/dev/null; touch -d @1750000001 tree/large"));
        let layer = scratch.open("i.iso");
        let mut found = contents(&*layer.tree(), &without_links);
        found.remove(&b"rr_moved"[..]);
        assert_same(&found, &expected, make);
        // Joliet has neither modes nor links, and shorter names
        let bare = |about: &mut Metadata| {
            (about.mode, about.uid, about.gid, about.links) = (None, None, None, None);
        };
        let parts = layer.tree().parts().unwrap();
        let joliet = parts.iter().find_map(|part| match &part.what {
            PartContent::Tree(tree) => Some(tree.clone()),
            PartContent::Bytes(_) | PartContent::SharedBlocks(_) => None,
        });
        let found = contents(&*joliet.unwrap(), &bare);
        let expected = contents(&Folder::open(&scratch.0.join("tree")), &bare);
        assert_eq!(found[&b"many/file-77"[..]], expected[&b"many/file-77"[..]], "{make}");
        assert_eq!(found[&b"large"[..]], expected[&b"large"[..]], "{make}");
        let files = |tree: &BTreeMap<Vec<u8>, String>| {
            // genisoimage makes empty files of links
            let full = |line: &&String| line.starts_with("file") && !line.contains(" 0 bytes");
            tree.values().filter(full).count()
        };
        assert_eq!(files(&found), files(&expected), "{make}");
    }
}

#[test]
#[ignore = "needs dosfstools and mtools: cargo xtask test --full"]
fn fat_of_every_width() {
    let scratch = Scratch::new();
    // what FAT cannot name, and what it has no place for
    scratch.sh("cd tree; rm -rf short long-link large-too 'a name'*; rm nnn*");
    let bare = |about: &mut Metadata| {
        (about.mode, about.uid, about.gid, about.links) = (None, None, None, None);
        // two seconds are the shortest time that it knows
        about.mtime = about.mtime.filter(|_| about.kind == Kind::File).map(|mtime| mtime / 2 * 2);
    };
    // 1980 is when its time begins
    scratch.sh("touch -d @1750000000 tree/nothing");
    let expected = contents(&Folder::open(&scratch.0.join("tree")), &bare);
    for (bits, size) in [(12, "100M"), (16, "60M"), (32, "300M")] {
        let cluster = if bits == 12 { "-s 64" } else { "" };
        scratch.sh(&format!(
            "rm -f i.img; truncate -s {size} i.img; mkfs.vfat -F {bits} {cluster} -i 89abcdef -n LABEL i.img >/dev/null; \
             mcopy -s -m -Q -i i.img tree/* ::/"
        ));
        let tree = scratch.open("i.img").tree();
        assert_same(&contents(&*tree, &bare), &expected, &format!("FAT{bits}"));
        let fields = tree.fields();
        let field = |name| &fields.iter().find(|field| field.name == name).unwrap().value;
        assert_eq!(field("volume serial number"), "89ab-cdef");
        assert_eq!(field("volume label in the root"), "LABEL");
        assert!(field("type").starts_with(&format!("FAT{bits} ")));
    }
}

#[test]
#[ignore = "needs cpio, bzip2, lz4, xz-utils, zstd: cargo xtask test --full"]
fn archives_of_every_kind() {
    let scratch = Scratch::new();
    // of a file with several names an archive has the bytes once
    scratch.sh("rm tree/large-too");
    let expected = contents(&Folder::open(&scratch.0.join("tree")), &without_links);
    let compare = |name: &str, found: &dyn Tree| {
        let mut found = contents(found, &without_links);
        found.remove(&b"."[..]);
        assert_same(&found, &expected, name);
    };
    for pack in ["cat", "gzip", "xz", "xz --check=crc32", "lzma", "zstd", "bzip2", "lz4", "lz4 -l"]
    {
        scratch.sh(&format!(
            "cd tree; find . -print0 | cpio -0 --quiet -o -H newc | {pack} >../i.cpio"
        ));
        compare(pack, &*scratch.open("i.cpio").tree());
    }
    scratch.sh("cd tree; find . -print0 | cpio -0 --quiet -o -H crc >../i.cpio");
    compare("crc", &*scratch.open("i.cpio").tree());
    for format in ["gnu", "pax", "oldgnu"] {
        scratch.sh(&format!("tar --format={format} -C tree -cf i.tar ."));
        compare(format, &*scratch.open("i.tar").tree());
    }
}

#[test]
#[ignore = "needs zip: cargo xtask test --full"]
fn zip_of_every_kind() {
    let scratch = Scratch::new();
    scratch
        .sh("rm tree/large-too; mkdir -p tree/a; touch -d @1750000000 tree/a; chmod u+r -R tree");
    let bare = |about: &mut Metadata| {
        (about.uid, about.gid, about.links) = (None, None, None);
        // two seconds are the shortest time that it knows
        about.mtime = about.mtime.map(|mtime| (mtime + 1) / 2 * 2);
    };
    scratch.sh("touch -hd @1750000000 tree/nothing");
    for (prepare, make) in [
        ("true", "zip -qry ../i.zip ."),
        ("true", "zip -qry0 ../i.zip ."),
        // zip 3.0 stores links, and can store nothing into a pipe
        ("find tree -type l -delete; touch -d @1750000000 tree", "zip -qr - . | cat >../i.zip"),
    ] {
        scratch.sh(prepare);
        let expected = contents(&Folder::open(&scratch.0.join("tree")), &bare);
        scratch.sh(&format!("rm -f i.zip; cd tree; {make}"));
        let tree = scratch.open("i.zip").tree();
        assert_same(&contents(&*tree, &bare), &expected, make);
        assert!(tree.parts().unwrap().is_empty(), "{make}");
    }
}

#[test]
#[ignore = "needs e2fsprogs: cargo xtask test --full"]
fn ext_of_every_age() {
    let scratch = Scratch::new();
    let expected = scratch.tree();
    for options in
        ["-t ext4", "-t ext4 -b 1024 -O ^64bit", "-t ext3", "-t ext2", "-t ext2 -b 1024 -I 128"]
    {
        scratch.sh(&format!("rm -f i.img; mke2fs -q {options} -d tree i.img 64M 2>/dev/null"));
        let mut found = contents(&*scratch.open("i.img").tree(), &|_| ());
        found.remove(&b"lost+found"[..]);
        assert_same(&found, &expected, options);
    }
}
