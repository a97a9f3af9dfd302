//! The scripts of recipe `base`, tested on small trees.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the scripts")]

mod raw_image;
mod reuse;
#[allow(unused)]
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
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
        let name = format!("base-{name}-{}", std::process::id());
        let real = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        fs::create_dir_all(&real).unwrap();
        // scripts get this path as a plain word, and a checkout may have any path; the files stay below target/,
        // because nothing may run in a /tmp that is mounted noexec
        let plain = std::env::temp_dir().join(name);
        drop(fs::remove_file(&plain));
        std::os::unix::fs::symlink(&real, &plain).unwrap();
        Folder(plain)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Copies scripts of the recipe to `recipe/`, with other words in place of the builder's paths.
    fn scripts(&self, names: &[&str], moved: &[(&str, String)]) {
        fs::create_dir_all(self.0.join("recipe")).unwrap();
        for name in names {
            let mut script = fs::read_to_string(recipe().join(name)).unwrap();
            for (from, to) in moved {
                script = script.replace(from, to);
            }
            executable(&self.0.join("recipe").join(name), &script);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Ok(real) = fs::read_link(&self.0) {
            drop(fs::remove_dir_all(real));
        }
        drop(fs::remove_file(&self.0));
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
        "{}noise of a step before\n{}+ true 'INFO: it'\\''s a hint:\n- reboot'\n\
         ++ os='A=1\nURL=\"x\"'\n+ printf '%s\\n' 'two\nlines'\n+ cd /home/user/x\n+ genmkfile deb-pkg\n\
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
    let log = before
        + &steps(&["3200_create-raw-image", "3500_install-packages", "3600_convert-raw-to-iso"])
        + marks
        + &steps(&["5200_prepare-release"]);
    let mut awk = Command::new("gawk");
    awk.arg("-v").arg(format!("record={}", record.display()));
    awk.arg("-f").arg(recipe().join("stages.awk"));
    let told = pipe(&mut awk, &log).exits(0);
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
    executable(&record, "#!/bin/sh\nexit 1\n");
    pipe(&mut awk, &log).exits(1);
}

#[test]
#[ignore = "needs gawk: cargo xtask test --full"]
fn the_log_has_one_in_a_thousand_of_the_files_that_mksquashfs_names() {
    let mut log = String::from("file /before, uncompressed size 1 bytes\n");
    log += "P: Begin building root filesystem image...\n";
    for n in 0..500 {
        let kind = ["character device", "fifo", "symbolic link", "directory"][n % 4];
        log += &format!("file /a, file {n}, uncompressed size {n} bytes DUPLICATE\n");
        log += &format!("file /b {n}, uncompressed size {n} bytes\n{kind} /c {n} inode 0x1{n}\n");
    }
    log += "file /etc/shadow: permission denied\nNumber of inodes 1500\n";
    log += "P: Begin creating manifest...\nfile /after, uncompressed size 1 bytes\n";
    let mut awk = Command::new("gawk");
    awk.args(["-v", "record=true", "-f"]).arg(recipe().join("stages.awk"));
    let told = pipe(&mut awk, &log).exits(0);
    assert_eq!(
        told.stdout.lines().collect::<Vec<_>>(),
        [
            "file /before, uncompressed size 1 bytes",
            "@@stage squashfs",
            "P: Begin building root filesystem image...",
            "file /a, file 0, uncompressed size 0 bytes DUPLICATE",
            "file /b 333, uncompressed size 333 bytes",
            "file /etc/shadow: permission denied",
            "Number of inodes 1500",
            "@@stage iso",
            "P: Begin creating manifest...",
            "file /after, uncompressed size 1 bytes",
        ]
    );
}

#[test]
fn the_clean_up_removes_random_and_dated_files_and_those_of_the_builder() {
    let folder = Folder::new("clean");
    let log = "var/lib/dkms/tirdad/0.1/6.12/x86_64/log/make.log";
    let theme = "boot/grub/themes/kicksecure";
    let raw = "boot/grub/grub.cfg";
    for file in ["etc/nvme/hostid", "etc/nvme/hostnqn", log, raw, "etc/nvme/discovery.conf"] {
        folder.write(file, "x");
    }
    folder.write(&format!("{theme}/background-16x9.png"), "");
    std::os::unix::fs::symlink("background-4x3.png", folder.0.join(theme).join("background.png"))
        .unwrap();
    for _ in 0..2 {
        run(Command::new(recipe().join("hooks/clean-up")).arg(&folder.0)).exits(0);
        for gone in ["etc/nvme/hostid", "etc/nvme/hostnqn", log, raw] {
            assert!(!folder.0.join(gone).exists(), "{gone}");
        }
        assert!(folder.0.join("etc/nvme/discovery.conf").exists());
        let linked = fs::read_link(folder.0.join(theme).join("background.png")).unwrap();
        assert_eq!(linked, Path::new("background-16x9.png"));
    }
    let database = "var/cache/debconf/config.dat";
    // the last question is another one
    let answers = " FILE = /etc/default/grub\n NEW = /tmp/grub.XdkT61DSWZ\n NEW = /etc/x\n\n\
                   Name: grub-pc/install_devices\nValue: /dev/loop12\nOwners: grub-pc\nFlags: seen\n\n\
                   Name: grub-pc/timeout\nValue: /dev/loop12\nFlags: seen\n";
    folder.write(database, answers);
    let (reader, line) =
        ("etc/grub.d/01_smbios-reader", "etc/default/grub.d/99_smbios-cmdline.cfg");
    folder.write(reader, "#!/bin/sh\necho insmod smbios\n");
    folder.write(line, "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX \\${dm_smbios_extra}\"\n");
    folder.write("etc/grub.d/40_custom", "#!/bin/sh\n# no smbios here\n");
    run(Command::new(recipe().join("hooks/clean-up")).arg(&folder.0)).exits(0);
    let kept = fs::read_to_string(folder.0.join(database)).unwrap();
    let expected = " FILE = /etc/default/grub\n NEW = /etc/x\n\n\
                    Name: grub-pc/install_devices\nOwners: grub-pc\n\n\
                    Name: grub-pc/timeout\nValue: /dev/loop12\nFlags: seen\n";
    assert_eq!(kept, expected);
    let of_a_person = "Name: grub-pc/install_devices\nValue: /dev/sda\nFlags: seen\n";
    folder.write(database, of_a_person);
    run(Command::new(recipe().join("hooks/clean-up")).arg(&folder.0)).exits(0);
    assert_eq!(fs::read_to_string(folder.0.join(database)).unwrap(), of_a_person);
    assert!(!folder.0.join(reader).exists() && !folder.0.join(line).exists());
    // another file than those that we know; a link is read, too
    folder.write("usr/reader", "#!/bin/sh\necho '# x'; echo insmod smbios\n");
    std::os::unix::fs::symlink("../../usr/reader", folder.0.join("etc/grub.d/02_reader")).unwrap();
    run(Command::new(recipe().join("hooks/clean-up")).arg(&folder.0))
        .exits(1)
        .says("etc/grub.d/02_reader");
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
    let real = folder.0.canonicalize().unwrap().join("work/chroot/dev");
    let mounted = format!("is not removed, because something is mounted at {}", real.display());
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

#[test]
fn a_kernel_without_loop_devices_is_named() {
    // the second gives a loop device without a node, which is of no use
    let no_node = "#!/bin/sh\n[ \"$1\" != losetup ] || echo /dev/loop-x\n";
    for (name, sudo) in [("no-loop", "#!/bin/sh\nexit 1\n"), ("no-node", no_node)] {
        let folder = Folder::new(name);
        folder.write("home/out/tmp/x", "");
        let stub = folder.0.join("stub");
        folder.scripts(
            &["lib.sh", "without-device-mapper"],
            &[("sudo -n", stub.to_str().unwrap().to_owned())],
        );
        executable(&stub, sudo);
        let mut script = Command::new(folder.0.join("recipe/without-device-mapper"));
        run(script.env("SILVERMETAL_HOME", folder.0.join("home")))
            .exits(1)
            .says("no loop: modprobe loop there");
    }
}

#[test]
fn a_package_from_elsewhere_than_the_package_cache_is_named() {
    let folder = Folder::new("sources");
    let proved = |log: &str| {
        folder.write("log", log);
        let mut script = Command::new(recipe().join("prove-sources"));
        run(script.arg(folder.0.join("log")).env("SILVERMETAL_HOME", &folder.0))
    };
    let ours = "Get:1 http://127.0.0.1:9977/debian trixie InRelease [138 kB]\n\
                Get:2 file:/mnt/repo local InRelease\nGet:3 copy:/mnt/a b\n+ apt-get update\n";
    proved(ours).exits(0);
    for other in [
        "Get:3 https://snapshot.debian.org/archive/debian/20261128T024913Z trixie InRelease [1 kB]",
        "Get:12 http://127.0.0.1:99770/debian trixie/main amd64 a amd64 1 [1 kB]",
        "Get:4 tor+https://deb.torproject.org/x trixie InRelease",
        "Get:5 http://127.0.0.1/debian trixie InRelease",
        "Get: 8 http://deb.example.org/debian trixie/main a 1 [1 kB]",
        "Get:6 s3://bucket/debian trixie InRelease",
        "Hit:7 http://127.0.0.1:9977@elsewhere.example/debian trixie InRelease",
    ] {
        let address = other.split(' ').find(|word| word.contains("://")).unwrap();
        proved(&format!("{ours}{other}\n")).exits(1).says(address);
    }
    // apt may say it in other words one day
    for silent in ["", "Fetched 12 kB\n", "Get:2 file:/mnt/repo local InRelease\n"] {
        proved(silent).exits(1).says("nobody can tell where the packages came from");
    }
}
