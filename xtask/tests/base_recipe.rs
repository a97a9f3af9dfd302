//! The scripts of recipe `base`, tested on small trees.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the scripts")]

#[allow(unused)]
mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Ran, executable, run};

fn recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../linux/build/recipes/base")
}

/// A temporary folder. Dropping it removes it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("base-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Folder(dir)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn pipe(command: &mut Command, input: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The line with which upstream's `set -x` announces a step.
fn begins(step: &str) -> String {
    format!(
        "+ true $'\\E[36mINFO: BEGIN: dist_build_one_build_step_current: ./build-steps.d/{step}\\E[0m'\n"
    )
}

#[test]
#[ignore = "needs gawk: cargo xtask test --full"]
fn the_error_is_found_in_a_trace_that_ends_in_traps() {
    let folder = Folder::new("why");
    let trap = "++ exception_handler_general ERR\nERROR detected in script!: 2100\n\
                main (line number: 500)\nlast_failed_bash_command: genmkfile deb-pkg\n\
                ++ error_handler_dist_build_one\n++ true 'ERROR in ./derivative-maker'\n++ exit 1\n";
    let log = format!(
        "{}noise of a step before\n{}+ cd /home/user/x\n+ genmkfile deb-pkg\n\
         dpkg-source: error: unrepresentable changes to source\n{trap}",
        begins("1200_prepare-build-machine"),
        begins("2100_create-debian-packages")
    );
    folder.write("log", &log);
    let told = run(Command::new(recipe().join("why-it-failed")).arg(folder.0.join("log"))).exits(0);
    assert_eq!(
        told.stdout,
        "error: derivative-maker failed in its step 2100_create-debian-packages\n\
         \x20 dpkg-source: error: unrepresentable changes to source\n\
         \x20 after: genmkfile deb-pkg\n"
    );
}

#[test]
#[ignore = "needs gawk: cargo xtask test --full"]
fn stages_are_recognized_in_the_trace_and_recorded_when_they_end() {
    let folder = Folder::new("stages");
    let record = folder.0.join("record");
    executable(&record, "#!/bin/sh\necho \"recorded $1\"\n");
    let marks = "P: Begin building root filesystem image...\nP: Begin creating manifest...\n";
    let steps = |names: &[&str]| names.iter().map(|name| begins(name)).collect::<String>();
    let before = steps(&["1100_sanity-tests", "1200_prepare-build-machine"])
        + "cat 1300_ is no beginning\n"
        + &steps(&["2100_create-debian-packages"]);
    let live_build = steps(&["2800_create-lb-iso"])
        + marks
        + &steps(&["3200_create-raw-image", "5200_prepare-release"]);
    let raw_image =
        steps(&["3200_create-raw-image", "3500_install-packages", "3600_convert-raw-to-iso"])
            + marks
            + &steps(&["5200_prepare-release"]);
    let mut awk = Command::new("gawk");
    awk.arg("-v").arg(format!("record={}", record.display()));
    awk.arg("-f").arg(recipe().join("stages.awk"));
    for layout in [&live_build, &raw_image] {
        let told = pipe(&mut awk, &format!("{before}{layout}")).exits(0);
        let lines: Vec<&str> = told
            .stdout
            .lines()
            .filter(|line| line.starts_with("@@stage") || line.starts_with("recorded"))
            .collect();
        assert_eq!(
            lines,
            [
                "recorded sanity",
                "@@stage prepare",
                "recorded prepare",
                "@@stage packages",
                "recorded packages",
                "@@stage chroot",
                "recorded chroot",
                "@@stage squashfs",
                "recorded squashfs",
                "@@stage iso"
            ]
        );
    }
    executable(&record, "#!/bin/sh\nexit 1\n");
    pipe(&mut awk, &format!("{before}{live_build}")).exits(1);
}

#[test]
fn the_clean_up_removes_random_and_dated_files_and_those_of_the_builder() {
    let folder = Folder::new("clean");
    let log = "var/lib/dkms/tirdad/0.1/6.12/x86_64/log/make.log";
    let theme = "boot/grub/themes/kicksecure";
    for file in ["etc/nvme/hostid", "etc/nvme/hostnqn", log, "etc/nvme/discovery.conf"] {
        folder.write(file, "x");
    }
    folder.write(&format!("{theme}/background-16x9.png"), "");
    std::os::unix::fs::symlink("background-4x3.png", folder.0.join(theme).join("background.png"))
        .unwrap();
    for _ in 0..2 {
        run(Command::new(recipe().join("hooks/clean-up")).arg(&folder.0)).exits(0);
        for gone in ["etc/nvme/hostid", "etc/nvme/hostnqn", log] {
            assert!(!folder.0.join(gone).exists(), "{gone}");
        }
        assert!(folder.0.join("etc/nvme/discovery.conf").exists());
        let linked = fs::read_link(folder.0.join(theme).join("background.png")).unwrap();
        assert_eq!(linked, Path::new("background-16x9.png"));
    }
    // an image without any of these files
    let bare = Folder::new("bare");
    run(Command::new(recipe().join("hooks/clean-up")).arg(&bare.0)).exits(0);
}

#[test]
fn kernel_parameters_from_the_firmware_are_taken_out() {
    let folder = Folder::new("smbios");
    let hook = || run(Command::new(recipe().join("hooks/no-smbios")).current_dir(&folder.0));
    let plain =
        "set timeout=30\nif [ -n \"$x\" ]; then\n    set x=1\nfi\nlinux /live/vmlinuz quiet\n";
    folder.write("boot/grub/grub.cfg", plain);
    fs::create_dir_all(folder.0.join("live")).unwrap();
    // GRUB's own files
    fs::write(folder.0.join("boot/grub/smbios.mod"), b"\x7fELF\0smbios").unwrap();
    for list in ["command.lst", "moddep.lst"] {
        folder.write(&format!("boot/grub/x86_64-efi/{list}"), "smbios: smbios\n");
    }
    let before = fs::metadata(folder.0.join("boot/grub/grub.cfg")).unwrap();
    hook().exits(0);
    let after = fs::metadata(folder.0.join("boot/grub/grub.cfg")).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec()),
        "not touched"
    );
    folder.write(
        "boot/grub/config.cfg",
        "set timeout=30\n# read SMBIOS\ninsmod regexp\ninsmod smbios\n\
         smbios --type 1 --get-string 7 --set dm_smbios_oem\n\
         regexp --set 1:dm_smbios_extra \"^dm-cmdline=(.*)\" \"${dm_smbios_oem}\"\n\
         if [ -n \"${dm_smbios_extra}\" ]; then\n    serial --unit=0\n    set timeout=0\nfi\n\
         if true; then\n    play 1\nfi\n",
    );
    let entry = "linux /live/vmlinuz live.hostname=x ${dm_smbios_extra} slab_nomerge\n";
    folder.write("boot/grub/grub.cfg", entry);
    folder.write("isolinux/live.cfg", entry);
    hook().exits(0);
    let text = |path: &str| fs::read_to_string(folder.0.join(path)).unwrap();
    assert_eq!(
        text("boot/grub/config.cfg"),
        "set timeout=30\ninsmod regexp\nif true; then\n    play 1\nfi\n"
    );
    for path in ["boot/grub/grub.cfg", "isolinux/live.cfg"] {
        assert_eq!(text(path), "linux /live/vmlinuz live.hostname=x slab_nomerge\n");
    }
    // another way to read it is not silently left
    folder.write("boot/grub/config.cfg", "smbios -t 1 -s 7 --set x\nset y=\"smbios ${x}\"\n");
    hook().exits(1).says("still mention it:\nboot/grub/config.cfg\n");
}

#[test]
#[ignore = "needs root to mount folders: cargo xtask test --full"]
fn a_folder_in_which_something_is_mounted_is_not_removed() {
    let folder = Folder::new("safe rm");
    let at = |path: &str| folder.0.join(path).to_str().unwrap().to_owned();
    for file in ["mine/diary", "work/chroot/dev/null", "work-beside/file", "other/file"] {
        folder.write(file, "x");
    }
    std::os::unix::fs::symlink("work", folder.0.join("link")).unwrap();
    // hosts have no safe-rm: the program behind ours only says what it got
    let script = fs::read_to_string(recipe().join("safe-rm")).unwrap();
    assert!(script.contains("exec /usr/bin/safe-rm \"$@\""));
    executable(&folder.0.join("safe-rm"), &script.replace("/usr/bin/safe-rm", "echo passed on"));
    let safe_rm = |arguments: &[&str]| {
        // the mount is seen in this shell alone
        let mut shell = Command::new("unshare");
        let text = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        shell.args(["--mount", "sh", "-c", text, "sh", &at("mine"), &at("work/chroot/dev")]);
        run(shell.arg(at("safe-rm")).args(arguments).current_dir(&folder.0))
    };
    let mounted =
        format!("is not removed, because something is mounted at {}", at("work/chroot/dev"));
    for refused in [
        &["-r", "-f", "--", "work"][..],
        &["-rf", &at("work/chroot/dev")],
        &["-r", "other", "work/"],
    ] {
        let told = safe_rm(refused).exits(1).says(&mounted);
        assert_eq!(told.stdout, "", "{refused:?}");
    }
    for passed in
        [&["-r", "-f", "--", "work-beside", "other"][..], &["-f", "link", "missing"], &["--", "-r"]]
    {
        let told = safe_rm(passed).exits(0);
        assert_eq!(told.stdout, format!("passed on {}\n", passed.join(" ")));
    }
    safe_rm(&["-rf", "--", "/"]).exits(1);
}

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
        fs::create_dir(folder.0.join("recipe")).unwrap();
        for name in ["lib.sh", "reuse-chroot", "build", "copy-upstream", "accept-old-archive"] {
            let mut script = fs::read_to_string(recipe().join(name)).unwrap();
            for (from, to) in &moved {
                script = script.replace(from, to);
            }
            executable(&folder.0.join("recipe").join(name), &script);
        }
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
fn everything_that_the_kernel_lacks_is_named_at_once() {
    let folder = Folder::new("kernel");
    for path in ["home/out/tmp/x", "recipe/x"] {
        folder.write(path, "");
    }
    let stub = folder.0.join("stub").to_str().unwrap().to_owned();
    for name in ["lib.sh", "prove-kernel"] {
        let script = fs::read_to_string(recipe().join(name)).unwrap();
        let script = script.replace("sudo -n", &stub).replace("/usr/sbin/mkfs.vfat", "true");
        executable(&folder.0.join("recipe").join(name), &script);
    }
    let prove = |program: &str, needs: &[&str]| {
        executable(&folder.0.join("stub"), program);
        let mut script = Command::new(folder.0.join("recipe/prove-kernel"));
        run(script.args(needs).env("SILVERMETAL_HOME", folder.0.join("home")))
    };
    let all = ["loop", "device-mapper", "vfat"];
    prove("#!/bin/sh\nexit 1\n", &all)
        .exits(1)
        .says("no loop: modprobe loop there")
        .says("no device-mapper: modprobe dm_mod there")
        .says("no vfat: modprobe vfat there");
    // a loop device without a node is of no use
    let ran = prove("#!/bin/sh\n[ \"$1\" != losetup ] || echo /dev/loop-x\n", &all).exits(1);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    ran.says("no loop");
    prove("#!/bin/sh\n", &["device-mapper", "vfat"]).exits(0);
    prove("#!/bin/sh\nexit 1\n", &[]).exits(0);
    prove("#!/bin/sh\n", &["ext4"]).exits(1).says("expected loop, device-mapper or vfat");
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
    fs::create_dir_all(folder.0.join("recipe/buildconfig.d")).unwrap();
    folder.write("recipe/buildconfig.d/50.conf", "B=1\n");
    for name in ["lib.sh", "reuse-packages"] {
        let mut script = fs::read_to_string(recipe().join(name)).unwrap();
        for (from, to) in &moved {
            script = script.replace(from, to);
        }
        executable(&folder.0.join("recipe").join(name), &script);
    }
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
