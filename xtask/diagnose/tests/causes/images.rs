//! Properties of entries, and headers of images.

use crate::support::{EPOCH, Pair, Side, Tree, md5};

/// Times of entries, which the tree of a case has clamped.
#[test]
fn times_in_a_squashfs() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write("etc/x.conf", "x\n");
        tree.time("etc/x.conf", side.pick(EPOCH, EPOCH + 86_421));
    };
    Pair::of_images("mtime", make).names(&["mtime-squashfs"]);
}

#[test]
fn owner_who_built() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        for file in ["etc/x.conf", "etc/y.conf"] {
            tree.write(file, "x\n");
            tree.pseudo(&format!("{file} m 644 {0} {0}", side.pick(0, 1000)));
        }
    };
    Pair::of_images("owner", make).names(&["builder-owner"]);
}

#[test]
fn system_user_by_order() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        let number = side.pick(101, 102);
        tree.write("etc/x.conf", "x\n");
        tree.write("etc/passwd", &format!("sshd:x:{number}:65534::/:/bin/false\n"));
        tree.write("etc/group", &format!("sshd:x:{number}:\n"));
        tree.pseudo(&format!("etc/x.conf m 644 {number} {number}"));
    };
    Pair::of_images("system-owner", make).names(&["account-numbers", "system-owner"]);
    let make = |tree: &Tree, side: Side| {
        tree.write("etc/x.conf", "x\n");
        tree.write("etc/group", "shadow:x:42:\nusers:x:100:\n");
        tree.pseudo(&format!("etc/x.conf m 640 0 {}", side.pick(42, 100)));
    };
    Pair::of_images("other-group", make).hints(&[], &["-"]);
}

#[test]
fn extended_attributes() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write("usr/bin/x", "x\n");
        tree.attribute("usr/bin/x", "user.origin", side.pick("one", "two"));
    };
    let pair = Pair::of_images("xattr", make);
    pair.hints(&[], &["xattrs"]);
    assert_eq!(pair.json("image.iso")["contents_differ"], true);
}

#[test]
fn hard_links() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write("usr/bin/x", "the same\n");
        match side {
            Side::A => tree.hard_link("usr/bin/x", "usr/bin/y"),
            Side::B => tree.write("usr/bin/y", "the same\n"),
        }
    };
    Pair::of_images("links", make).names(&["hard-links"]);
}

#[test]
fn superblock_time() {
    needs_tools!();
    let pair = Pair::new("mkfs-time", |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.squashfs(&[], EPOCH + side.pick(0, 77));
    });
    pair.names_in("filesystem.squashfs", &["mkfs-time"]);
}

#[test]
fn compressors() {
    needs_tools!();
    for (a, b) in [("xz", "zstd"), ("gzip", "lz4"), ("xz", "lzo")] {
        let pair = Pair::new("compressor", |tree, side| {
            tree.write("etc/x.conf", &"some text\n".repeat(500));
            tree.squashfs(&["-comp", side.pick(a, b)], EPOCH);
        });
        pair.names_in("filesystem.squashfs", &["compressor"]);
    }
}

#[test]
fn block_size() {
    needs_tools!();
    let pair = Pair::new("block-size", |tree, side| {
        tree.write("etc/x.conf", &"some text\n".repeat(50_000));
        tree.squashfs(&["-b", side.pick("131072", "1048576")], EPOCH);
    });
    pair.names_in("filesystem.squashfs", &["compressor"]);
}

/// The blocks are equal; their compressed forms are not.
#[test]
fn other_level_of_a_compressor() {
    needs_tools!();
    let pair = Pair::new("repacked", |tree, side| {
        let text: String =
            (0..20_000).map(|n| format!("{} some text {}\n", n * 7919 % 10_007, n)).collect();
        tree.write("usr/share/x.txt", &text);
        tree.squashfs(side.pick(&["-noD"], &["-no-fragments"]), EPOCH);
    });
    pair.names_in("filesystem.squashfs", &["compressor"]);
}

#[test]
fn volume_dates() {
    needs_tools!();
    let pair = Pair::new("volume-dates", |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.squashfs(&[], EPOCH);
        tree.iso(&["--modification-date", side.pick("2026112203250100", "2026112303250100")]);
    });
    pair.names_in("image.iso", &["volume-dates"]);
}

#[test]
fn what_says_where_the_boot_image_lies_follows() {
    needs_tools!();
    let pair = Pair::new("boot-info", |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.squashfs(&[], EPOCH);
        // each folder takes a sector before the files
        tree.dir(side.pick("iso/boot", "iso/folder"));
        tree.bytes("iso/boot/eltorito.img", &[0x90; 4096]);
        let boot = ["-b", "boot/eltorito.img", "-no-emul-boot", "-boot-load-size", "4"];
        tree.iso(&[&boot[..], &["-boot-info-table", "--grub2-boot-info"]].concat());
    });
    let json = pair.json("image.iso");
    let follows: Vec<_> = json["follows"].as_array().unwrap().iter().map(|x| &x["place"]).collect();
    assert!(follows.contains(&&"boot/eltorito.img".into()), "{json:#}");
    assert!(follows.contains(&&"boot.catalog".into()), "{json:#}");
    let unexplained = json["unexplained"].as_array().unwrap();
    let folder = |item: &serde_json::Value| item["place"].as_str().unwrap().ends_with("folder");
    assert!(!unexplained.is_empty() && unexplained.iter().all(folder), "{json:#}");
}

#[test]
fn volume_label() {
    needs_tools!();
    let pair = Pair::new("volume-label", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.iso(&["-V", side.pick("ONE", "TWO")]);
    });
    pair.names_in("image.iso", &["volume-names"]);
}

#[test]
fn disk_guid() {
    needs_tools!();
    let guid = ["6ba7b8109dad11d180b400c04fd430c8", "7ba7b8119dad41d180b410c04fd430c8"];
    let pair = Pair::new("disk-guid", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.fat("efi.img", "12345678");
        let efi = tree.path("efi.img").display().to_string();
        tree.iso(&[
            "-append_partition",
            "2",
            "0xef",
            &efi,
            "-appended_part_as_gpt",
            "--gpt_disk_guid",
            side.pick(guid[0], guid[1]),
        ]);
    });
    pair.names_in("image.iso", &["disk-guid"]);
}

#[test]
fn fat_serial() {
    needs_tools!();
    let pair = Pair::new("fat-serial", |tree, side| {
        tree.fat("iso/boot/efi.img", side.pick("12345678", "87654321"));
        tree.squashfs(&[], EPOCH);
        tree.iso(&[]);
    });
    pair.names_in("image.iso", &["fat-serial"]);
}

#[test]
fn times_of_files_in_the_iso() {
    needs_tools!();
    let pair = Pair::new("iso-times", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.write("iso/README.txt", "x\n");
        tree.iso_at("README.txt", side.pick(EPOCH, EPOCH + 3_601));
    });
    pair.names_in("image.iso", &["mtime-iso"]);
}

#[test]
fn gzip_header() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.gzip("usr/share/man/x.1.gz", b"some text\n", side.pick(0, 1_795_317_901));
    };
    Pair::of_images("gzip", make).names(&["gzip-time"]);
}

#[test]
fn initramfs_times_and_order() {
    needs_tools!();
    let files = |side: Side| if side == Side::A { ["a", "b", "c"] } else { ["b", "c", "a"] };
    let pair = Pair::new("initramfs-order", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.initrd("iso/live/initrd.img", &files(side), EPOCH);
        tree.iso(&[]);
    });
    pair.names_in("image.iso", &["initramfs-order"]);
    let pair = Pair::new("initramfs-times", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.initrd("iso/live/initrd.img", &["a", "b"], EPOCH + side.pick(0, 99));
        tree.iso(&[]);
    });
    pair.names_in("image.iso", &["mtime-initramfs"]);
}

/// The tree is equal, and so are all options: only where the blocks lie is not.
#[test]
fn order_of_blocks() {
    needs_tools!();
    let pair = Pair::new("block-order", |tree, side| {
        for n in 0..20 {
            tree.write(&format!("usr/share/{n}"), &format!("text {n}\n").repeat(999));
        }
        let order = |n: i32| format!("usr/share/{n} {}\n", side.pick(n, -n));
        let sort = tree.dir.join("sort");
        std::fs::write(&sort, (0..20).map(order).collect::<String>()).unwrap();
        tree.squashfs(&["-no-fragments", "-sort", &sort.display().to_string()], EPOCH);
    });
    pair.names_in("filesystem.squashfs", &["squashfs-repacked"]);
}

/// implantisomd5 fills the area with blanks; xorriso leaves zeros, genisoimage blanks.
#[test]
fn a_checksum_of_the_image_on_one_side_only() {
    needs_tools!();
    for filling in [0, b' '] {
        let pair = Pair::of_images("implanted-md5", |tree, _| tree.write("etc/x.conf", "x\n"));
        let area = 32_768 + 883..32_768 + 1395;
        let [a, b] = pair.both("image.iso");
        let mut image = std::fs::read(&a).unwrap();
        image[area.clone()].fill(filling);
        std::fs::write(a, &image).unwrap();
        image[area.clone()].fill(b' ');
        let text =
            format!("ISO MD5SUM = {};SKIPSECTORS = 15;", md5(&image[..image.len() - 15 * 2048]));
        image[area.start..area.start + text.len()].copy_from_slice(text.as_bytes());
        std::fs::write(&b, &image).unwrap();
        pair.names(&["implanted-md5"]);
        // any other filling
        image[area.end - 1] = 0;
        std::fs::write(b, &image).unwrap();
        pair.hints(&["implanted-md5"], &["-"]);
    }
}
