//! Packages and root file systems of an earlier build: taken only for the same inputs.

use crate::Folder;
use crate::support::{executable, run};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A builder with the recipe's `reuse-chroot`, on small folders: `lb` says what it is asked, and makes a
/// root.
struct Builder(Folder);

impl Builder {
    fn new(name: &str) -> Builder {
        let folder = Folder::new(name);
        for (path, text) in [
            ("home/out/tmp/packages.name", "of the packages\n"),
            ("home/out/tmp/arguments", "--flavor\nkicksecure-cli\n"),
            ("binary/aptrepo_local/kicksecure/pool/a.deb", "a package"),
            ("binary/1.0/live-build/config/bootstrap", "LB_DISTRIBUTION_CHROOT=\"trixie\"\n"),
            ("binary/1.0/live-build/.build/config", ""),
            ("archive/debian/dists/trixie/InRelease", "monday"),
            ("cache/mine", "of somebody else"),
        ] {
            folder.write(path, text);
        }
        let at = |path: &str| folder.0.join(path).to_str().unwrap().to_owned();
        let moved = [
            ("/var/cache/silvermetal-packages", at("cache")),
            ("/home/user/derivative-binary", at("binary")),
            ("http://127.0.0.1:9977", format!("file://{}", at("archive"))),
            ("/usr/bin/lb", at("lb")),
            ("/usr/local/bin/safe-rm", "rm".to_owned()),
        ];
        let names =
            ["lib.sh", "reuse-chroot", "build", "copy-upstream", "accept-old-archive", "kpartx"];
        folder.scripts(&names, &moved);
        folder.write("recipe/layouts/3600_convert-raw-to-iso", "a layout");
        let lb = "#!/bin/sh\nset -e\necho \"lb $*\"\nmkdir -p chroot/etc\n\
                  [ \"$1\" = chroot ] || exit 0\n\
                  echo x >chroot/etc/shadow; chmod 0640 chroot/etc/shadow; ln chroot/etc/shadow chroot/etc/shadow-\n\
                  ln -s shadow chroot/etc/link; touch -d '2001-02-03 04:05:06.789' chroot/etc/shadow\n\
                  touch .build/chroot chroot.packages.live\n\
                  cp -r config/includes.chroot_after_packages/. chroot/\n";
        executable(&folder.0.join("lb"), lb);
        Builder(folder)
    }

    /// Builds the root as upstream does, with this clean-up. Returns what was said.
    fn build(&self, clean_up: &str) -> String {
        let live = "binary/1.0/live-build";
        drop(fs::remove_dir_all(self.0.0.join(live).join("chroot")));
        let hook = "config/includes.chroot_after_packages/usr/libexec/99_silvermetal";
        self.0.write(&format!("{live}/{hook}"), clean_up);
        let mut told = String::new();
        for command in ["bootstrap", "chroot"] {
            let mut script = Command::new(self.0.0.join("recipe/reuse-chroot"));
            script.arg("lb").arg(self.0.0.join("home")).args([command, "--verbose"]);
            told += &run(script.current_dir(self.0.0.join(live))).exits(0).stdout;
            // upstream prepares the root between the two
            self.0.write(&format!("{live}/chroot/etc/prepared"), "");
        }
        told
    }

    /// Runs steps 3200, 3500 and 3600, of which the first two make a raw image, as buildconfig.d lets upstream run
    /// them. Returns which of the two ran.
    fn build_raw_image(&self) -> Vec<&'static str> {
        let image = self.raw_image();
        for left in [&image, &self.0.0.join("home/out/tmp/chroot.taken")] {
            drop(fs::remove_file(left));
        }
        let reuse = |mode: &str, more: &[&str]| {
            let mut script = Command::new(self.0.0.join("recipe/reuse-chroot"));
            script.arg(mode).arg(self.0.0.join("home"));
            run(script.args(more).arg(&image))
        };
        let mut ran = Vec::new();
        for step in ["3200", "3500"] {
            if reuse("take", &["trixie"]).code != 0 {
                ran.push(step);
                let file = fs::OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&image)
                    .unwrap();
                // as upstream's: far larger than what is in it
                file.set_len(1 << 33).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, step.as_bytes(), 1 << 32).unwrap();
            }
        }
        reuse("keep", &[]).exits(0);
        ran
    }

    fn raw_image(&self) -> PathBuf {
        self.0.0.join("binary/1.0/Kicksecure.raw")
    }

    fn root(&self) -> PathBuf {
        self.0.0.join("binary/1.0/live-build/chroot")
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
fn a_kept_root_is_taken_for_the_same_inputs_only_and_gets_todays_clean_up() {
    let builder = Builder::new("kept-root");
    let made = "lb bootstrap --verbose\nlb chroot --verbose\n";
    assert!(builder.build("first").starts_with(made));
    assert_eq!(builder.kept().len(), 2, "{:?}", builder.kept());
    let told = builder.build("second");
    assert!(told.starts_with("note: the root file system is that of an earlier build"), "{told}");
    let root = builder.root();
    assert_eq!(fs::read_to_string(root.join("usr/libexec/99_silvermetal")).unwrap(), "second");
    let shadow = fs::metadata(root.join("etc/shadow")).unwrap();
    assert_eq!(shadow.permissions().mode() & 0o7777, 0o640);
    assert_eq!((shadow.mtime(), shadow.mtime_nsec()), (981_173_106, 789_000_000));
    assert_eq!(shadow.ino(), fs::metadata(root.join("etc/shadow-")).unwrap().ino());
    assert_eq!(fs::read_link(root.join("etc/link")).unwrap(), Path::new("shadow"));
    // each input that changes makes a new root, which takes the place of the old one
    for (path, text) in [
        ("home/out/tmp/packages.name", "of other packages\n"),
        ("binary/aptrepo_local/kicksecure/pool/a.deb", "another package"),
        ("archive/debian/dists/trixie/InRelease", "tuesday"),
        ("archive/debian-security/dists/trixie-security/InRelease", "an update"),
        ("home/out/tmp/arguments", "--flavor\nkicksecure-cli\n--allow-untagged\n"),
    ] {
        builder.0.write(path, text);
        assert!(builder.build("third").starts_with(made), "{path}");
        assert_eq!(builder.kept().len(), 2, "{path}: {:?}", builder.kept());
        assert!(builder.build("third").starts_with("note:"), "{path}");
    }
    // the roots of two flavors lie side by side
    builder.0.write("home/out/tmp/arguments", "--flavor\nkicksecure-lxqt\n");
    assert!(builder.build("fourth").starts_with(made));
    assert_eq!(builder.kept().len(), 3);
    // a damaged one is made anew
    let kept = builder.kept();
    let lxqt = kept.iter().find(|name| name.contains("lxqt")).unwrap();
    builder.0.write(&format!("cache/{lxqt}/chroot.tar.zst"), "damaged");
    assert!(builder.build("fourth").contains(made));
    assert!(builder.build("fourth").starts_with("note:"));
    assert!(builder.kept().contains(&"mine".to_owned()));
}

#[test]
#[ignore = "needs zstd: cargo xtask test --full"]
fn a_kept_raw_image_is_taken_for_the_same_inputs_only() {
    let builder = Builder::new("kept-raw");
    let both = ["3200", "3500"];
    assert_eq!(builder.build_raw_image(), both);
    assert_eq!(builder.kept().len(), 2, "{:?}", builder.kept());
    assert_eq!(builder.build_raw_image(), [""; 0]);
    let image = fs::File::open(builder.raw_image()).unwrap();
    let mut end = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(&image, &mut end, 1 << 32).unwrap();
    assert_eq!((&end, image.metadata().unwrap().len()), (b"3500", 1 << 33));
    assert!(image.metadata().unwrap().blocks() < 1 << 10, "its holes are none any more");
    for (path, text) in [
        ("home/out/tmp/packages.name", "of other packages\n"),
        ("archive/debian/dists/trixie/InRelease", "tuesday"),
        ("recipe/layouts/3600_convert-raw-to-iso", "another layout"),
    ] {
        builder.0.write(path, text);
        assert_eq!(builder.build_raw_image(), both, "{path}");
        assert_eq!(builder.kept().len(), 2, "{path}: {:?}", builder.kept());
        assert_eq!(builder.build_raw_image(), [""; 0], "{path}");
    }
    // a damaged one is made anew, and one whose key cannot be known is neither taken nor kept
    let kept = builder.kept();
    let entry = kept.iter().find(|name| name.starts_with("chroot-")).unwrap();
    builder.0.write(&format!("cache/{entry}/chroot.tar.zst"), "damaged");
    assert_eq!(builder.build_raw_image(), both);
    fs::remove_file(builder.0.0.join("recipe/kpartx")).unwrap();
    fs::remove_dir_all(builder.0.0.join("cache").join(entry)).unwrap();
    assert_eq!(builder.build_raw_image(), both);
    assert_eq!(builder.kept(), ["mine"]);
}

#[test]
#[ignore = "needs zstd: cargo xtask test --full"]
fn a_root_without_the_hash_of_its_packages_is_neither_taken_nor_kept() {
    let builder = Builder::new("no-hash");
    fs::remove_file(builder.0.0.join("home/out/tmp/packages.name")).unwrap();
    for _ in 0..2 {
        let told = builder.build("first");
        assert!(told.starts_with("note: no root file system is reused or kept"), "{told}");
        assert!(told.ends_with("lb bootstrap --verbose\nlb chroot --verbose\n"), "{told}");
    }
    assert_eq!(builder.kept(), ["mine"]);
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
