//! Several causes at once, none, and how they are reported.

use crate::support::{EPOCH, Pair, Side, pyc};

#[test]
fn a_folder_that_only_one_side_has_is_one_line_that_names_what_is_in_it() {
    needs_tools!();
    let pair = Pair::of_images("only-in", |tree, side| {
        tree.write("etc/x", "x\n");
        if side == Side::B {
            tree.write("opt/tool/bin/run", "x\n");
            tree.write("opt/tool/__pycache__/run.pyc", "x\n");
        }
    });
    let json = pair.json("image.iso");
    assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
    let items = json["unexplained"].as_array().unwrap();
    let folder = items.iter().find(|item| item["place"] == "live/filesystem.squashfs!opt").unwrap();
    assert_eq!(folder["what"], "only in B (dir, and 5 entries in it)", "{json:#}");
    let named = folder["excerpt"].as_array().unwrap();
    assert!(named.contains(&"+ opt/tool/bin/run".into()), "{json:#}");
}

#[test]
fn ten_causes_at_once() {
    needs_tools!();
    let pair = Pair::new("ten", |tree, side| {
        tree.write(
            "etc/nvme/hostid",
            side.pick(
                "11c8ad9c-9be1-4d60-91f4-2c0c0f4be6a2\n",
                "e80aa7f2-02ae-4c9a-8c55-4a79f96a1b7d\n",
            ),
        );
        tree.write(
            "etc/machine-id",
            side.pick("5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n", "9a31d0e24a1146cda1c6a5f3ce8d7b20\n"),
        );
        tree.write(
            "var/log/dpkg.log",
            side.pick("2026-11-22 03:25:01 x\n", "2026-11-23 04:11:17 x\n"),
        );
        tree.bytes("usr/lib/x.pyc", &pyc(side.pick(1_780_000_100, 1_780_000_222), b"\0code"));
        tree.write("etc/shadow", side.pick("root:*:20560:0:::::\n", "root:*:20561:0:::::\n"));
        tree.write("etc/hostname", side.pick("alpha\n", "beta\n"));
        tree.write("usr/share/x.list", side.pick("m\na\nz\n", "z\nm\na\n"));
        tree.write("etc/made", side.pick("on 2026-11-22 03:25:01\n", "on 2026-11-23 04:11:17\n"));
        for name in ["usr/share/build.env", "usr/share/build.txt"] {
            tree.write(name, side.pick("PWD=/build/a\n", "PWD=/build/b\n"));
        }
        tree.write("etc/late", "x\n");
        tree.time("etc/late", side.pick(EPOCH, EPOCH + 5));
        for (name, modes) in [("etc/mode", (0o644, 0o600)), ("etc/mode.too", (0o755, 0o700))] {
            tree.write(name, "x\n");
            tree.mode(name, side.pick(modes.0, modes.1));
        }
        tree.squashfs(&["-comp", "xz"], EPOCH + side.pick(0, 3));
        tree.iso(&["--modification-date", side.pick("2026112203250100", "2026112303250100")]);
    });
    pair.names_in(
        "image.iso",
        &[
            "nvme-hostid",
            "machine-id",
            "logs",
            "pyc",
            "shadow-days",
            "host-name",
            "line-order",
            "build-time",
            "build-path",
            "mtime-squashfs",
            "umask",
            "mkfs-time",
            "volume-dates",
        ],
    );
}

#[test]
fn what_nothing_explains_is_listed_with_an_excerpt() {
    needs_tools!();
    let pair = Pair::of_images("unexplained", |tree, side| {
        tree.write(
            "usr/share/poem",
            side.pick("the cat sat\non a mat\n", "the cat sat\nin the sun\n"),
        );
    });
    let json = pair.json("image.iso");
    assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
    let item = &json["unexplained"][0];
    assert_eq!(item["place"], "live/filesystem.squashfs!usr/share/poem");
    assert_eq!(item["excerpt"], serde_json::json!(["- on a mat", "+ in the sun"]));
}

#[test]
fn equal_images_are_identical_and_trees_are_compared_too() {
    needs_tools!();
    let pair = Pair::of_images("equal", |tree, _| tree.write("etc/x", "x\n"));
    let json = pair.json("image.iso");
    assert_eq!(json["verdict"], "identical", "{json:#}");
    let pair = Pair::new("trees", |tree, side| {
        tree.write(
            "etc/machine-id",
            side.pick("5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n", "9a31d0e24a1146cda1c6a5f3ce8d7b20\n"),
        );
    });
    pair.names_in("root", &["machine-id"]);
}
