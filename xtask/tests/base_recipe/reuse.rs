//! Packages and root file systems of an earlier build: taken only for the same inputs.

use crate::Folder;
use crate::support::run;
use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Command;

/// A builder with the recipe's `reuse-chroot`, on small folders.
struct Builder(Folder);

/// The steps that make the raw image.
const BOTH: [&str; 2] = ["3200", "3500"];

impl Builder {
    fn new(name: &str) -> Builder {
        let folder = Folder::new(name);
        for (path, text) in [
            ("home/out/tmp/packages.name", "of the packages\n"),
            ("home/out/tmp/arguments", "--flavor\nkicksecure-cli\n"),
            ("binary/aptrepo_local/kicksecure/pool/a.deb", "a package"),
            ("archive/debian/dists/trixie/InRelease", "monday"),
            ("cache/mine", "of somebody else"),
        ] {
            folder.write(path, text);
        }
        fs::create_dir_all(folder.0.join("binary/1.0")).unwrap();
        let at = |path: &str| folder.0.join(path).to_str().unwrap().to_owned();
        let moved = [
            ("/var/cache/silvermetal-packages", at("cache")),
            ("/home/user/derivative-binary", at("binary")),
            ("http://127.0.0.1:9977", format!("file://{}", at("archive"))),
        ];
        let keyed =
            ["build", "copy-upstream", "accept-old-archive", "without-device-mapper", "kpartx"];
        folder.scripts(&["lib.sh", "reuse-chroot"], &moved);
        folder.scripts(&keyed, &moved);
        folder.write("recipe/layouts/3600_convert-raw-to-iso", "a layout");
        Builder(folder)
    }

    /// Runs steps 3200, 3500 and 3600, of which the first two make a raw image, as buildconfig.d lets upstream run
    /// them. Returns which of the two ran, and what was said.
    fn build(&self) -> (Vec<&'static str>, String) {
        let image = self.raw_image();
        for left in [&image, &self.0.0.join("home/out/tmp/chroot.taken")] {
            drop(fs::remove_file(left));
        }
        let reuse = |mode: &str, more: &[&str]| {
            let mut script = Command::new(self.0.0.join("recipe/reuse-chroot"));
            script.arg(mode).arg(self.0.0.join("home"));
            run(script.args(more).arg(&image))
        };
        let (mut ran, mut told) = (Vec::new(), String::new());
        for step in BOTH {
            let taken = reuse("take", &["trixie"]);
            told += &taken.stdout;
            if taken.code != 0 {
                ran.push(step);
                let mut options = fs::OpenOptions::new();
                let file = options.create(true).truncate(false).write(true).open(&image).unwrap();
                // as upstream's: far larger than what is in it
                file.set_len(1 << 33).unwrap();
                file.write_all_at(step.as_bytes(), 1 << 32).unwrap();
                file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
            }
        }
        told += &reuse("keep", &[]).exits(0).stdout;
        (ran, told)
    }

    fn raw_image(&self) -> PathBuf {
        self.0.0.join("binary/1.0/Kicksecure.raw")
    }

    /// The entries of the cache.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.0.join("cache")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
#[ignore = "needs zstd: cargo xtask test --full"]
fn a_kept_raw_image_is_taken_for_the_same_inputs_only() {
    let builder = Builder::new("kept-raw");
    assert_eq!(builder.build().0, BOTH);
    assert_eq!(builder.kept().len(), 2, "{:?}", builder.kept());
    let (ran, told) = builder.build();
    assert_eq!(ran, [""; 0]);
    assert!(told.starts_with("note: the root file system is that of an earlier build"), "{told}");
    let image = fs::File::open(builder.raw_image()).unwrap();
    let mut end = [0; 4];
    image.read_exact_at(&mut end, 1 << 32).unwrap();
    let found = image.metadata().unwrap();
    assert_eq!((&end, found.len()), (b"3500", 1 << 33));
    assert_eq!(found.permissions().mode() & 0o7777, 0o640);
    assert!(found.blocks() < 1 << 10, "its holes are none any more");
    // each input that changes makes a new root, which takes the place of the old one
    for (path, text) in [
        ("home/out/tmp/packages.name", "of other packages\n"),
        ("binary/aptrepo_local/kicksecure/pool/a.deb", "another package"),
        ("archive/debian/dists/trixie/InRelease", "tuesday"),
        ("archive/debian-security/dists/trixie-security/InRelease", "an update"),
        ("home/out/tmp/arguments", "--flavor\nkicksecure-cli\n--allow-untagged\n"),
        ("recipe/layouts/3600_convert-raw-to-iso", "another layout"),
    ] {
        builder.0.write(path, text);
        assert_eq!(builder.build().0, BOTH, "{path}");
        assert_eq!(builder.kept().len(), 2, "{path}: {:?}", builder.kept());
        assert_eq!(builder.build().0, [""; 0], "{path}");
    }
    // the roots of two flavors lie side by side
    builder.0.write("home/out/tmp/arguments", "--flavor\nkicksecure-lxqt\n");
    assert_eq!(builder.build().0, BOTH);
    assert_eq!(builder.kept().len(), 3);
    // a damaged one is made anew
    let kept = builder.kept();
    let lxqt = kept.iter().find(|name| name.contains("lxqt")).unwrap();
    builder.0.write(&format!("cache/{lxqt}/chroot.tar.zst"), "damaged");
    assert_eq!(builder.build().0, BOTH);
    assert_eq!(builder.build().0, [""; 0]);
    assert!(builder.kept().contains(&"mine".to_owned()));
}

#[test]
#[ignore = "needs zstd: cargo xtask test --full"]
fn a_root_whose_key_is_not_whole_is_neither_taken_nor_kept() {
    for (name, missing) in
        [("no-hash", "home/out/tmp/packages.name"), ("no-kpartx", "recipe/kpartx")]
    {
        let builder = Builder::new(name);
        fs::remove_file(builder.0.0.join(missing)).unwrap();
        for _ in 0..2 {
            let (ran, told) = builder.build();
            assert_eq!(ran, BOTH);
            if name == "no-hash" {
                assert!(told.starts_with("note: no root file system is reused or kept"), "{told}");
            }
        }
        assert_eq!(builder.kept(), ["mine"]);
    }
}

#[test]
fn packages_are_taken_again_only_if_everything_that_goes_into_them_is_the_same() {
    let folder = Folder::new("packages");
    let lists = "cow/var/lib/apt/lists";
    for (path, text) in [
        ("source/file", "x"),
        ("cow/var/lib/dpkg/status", "Package: a\n"),
        (&format!("{lists}/d_InRelease"), "monday"),
        (&format!("{lists}/partial/x"), ""),
        ("binary/aptrepo_local/pool/a.deb", "a package"),
        ("home/conf/silvermetal-base.conf", "A=1\n"),
        ("home/out/tmp/x", ""),
        ("cache/x", ""),
    ] {
        folder.write(path, text);
    }
    let at = |path: &str| folder.0.join(path).to_str().unwrap().to_owned();
    let moved = [
        ("/var/cache/silvermetal-packages", at("cache")),
        ("/var/cache/pbuilder/base.cow_amd64", at("cow")),
        ("/home/user/derivative-maker-copy", at("source")),
        ("/home/user/derivative-binary", at("binary")),
        ("sudo -n install -d -o user -g user", "mkdir".to_owned()),
        ("sudo -n ", String::new()),
    ];
    folder.write("recipe/buildconfig.d/50.conf", "B=1\n");
    folder.scripts(&["lib.sh", "reuse-packages"], &moved);
    let reuse = |mode: &str| {
        let mut script = Command::new(folder.0.join("recipe/reuse-packages"));
        script.arg(mode).env("SILVERMETAL_HOME", folder.0.join("home"));
        run(script.env("SILVERMETAL_EPOCH", "1"))
    };
    let package = folder.0.join("binary/aptrepo_local/pool/a.deb");
    reuse("restore").exits(1);
    reuse("keep").exits(0);
    fs::write(&package, "of another build").unwrap();
    assert!(reuse("restore").exits(0).stdout.starts_with("note: packages of an earlier build"));
    assert_eq!(fs::read_to_string(&package).unwrap(), "a package");
    for (path, text) in [
        ("source/file", "y"),
        ("cow/var/lib/dpkg/status", "Package: b\n"),
        (&format!("{lists}/d_InRelease"), "tuesday"),
        ("home/conf/silvermetal-base.conf", "A=2\n"),
        ("recipe/buildconfig.d/50.conf", "B=2\n"),
    ] {
        folder.write(path, text);
        reuse("restore").exits(1);
        reuse("keep").exits(0);
        reuse("restore").exits(0);
    }
    // without a whole key nothing is taken
    fs::remove_file(folder.0.join("cow/var/lib/dpkg/status")).unwrap();
    reuse("restore").exits(1).says("packages cannot be reused");
    assert!(!folder.0.join("home/out/tmp/packages.name").exists());
}
