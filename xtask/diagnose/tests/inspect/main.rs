//! The content policy of recipe `base`, held against images that break it in one thing each.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start diagnose and look at what it says"
)]

mod beside;
mod boot;
mod legal;
mod make;
mod rebuilt;
mod records;
mod roots;
mod seldom;
#[macro_use]
#[path = "../support/mod.rs"]
mod support;
mod two_images;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::{EPOCH, Pair, Side, Tree};

/// Date of the volume: [`EPOCH`].
const DATE: [&str; 2] = ["--modification-date", "2026052820264000"];
const BIOS: [&str; 5] = ["-b", "boot/bios.img", "-no-emul-boot", "-boot-load-size", "4"];
const UEFI: [&str; 4] = ["-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot"];

/// A list of the policy.
fn wanted(key: &str) -> Vec<String> {
    let toml = include_str!("../../../../linux/build/recipes/base/recipe.toml");
    let list = toml.split_once(&format!("{key} = [")).unwrap().1.split(']').next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn parameters() -> Vec<String> {
    wanted("kernel_parameters")
}

fn menu(entries: &[&[String]]) -> String {
    let entry = |words: &[String]| {
        format!("menuentry 'Live' {{\n linux /live/vmlinuz {}\n}}\n", words.join(" "))
    };
    entries.iter().map(|words| entry(words)).collect()
}

fn sources(suites: &str) -> String {
    let host = &wanted("package_hosts")[0];
    format!("Types: deb\nURIs: tor+https://{host}/debian\nSuites: {suites}\nComponents: main\n")
}

/// dpkg's status with these packages.
fn installed(packages: &[String]) -> String {
    let package =
        |name: &String| format!("Package: {name}\nStatus: install ok installed\nVersion: 1\n\n");
    packages.iter().map(package).collect()
}

/// An image that holds the policy: with much in it that only looks as if it did not.
fn sound(tree: &Tree) {
    tree.write("iso/boot/grub/grub.cfg", &menu(&[&parameters()]));
    for image in ["iso/boot/bios.img", "iso/boot/efi.img"] {
        tree.bytes(image, &[0x90; 4096]);
    }
    tree.write("var/lib/dpkg/status", &installed(&wanted("kicksecure-cli")));
    tree.write("etc/apt/sources.list.d/debian.sources", &sources(&wanted("suites").join(" ")));
    tree.write("etc/machine-id", "");
    tree.write("var/log/wtmp", "");
    tree.link("var/log/README", "../../usr/share/doc/systemd/README.logs");
    tree.write("usr/bin/tool", "cd /home/user/derivative-maker/packages/kicksecure/tool\n");
    tree.write("usr/share/doc/laptop/example.pem", "-----BEGIN PRIVATE KEY-----\nx\n");
}

/// Rules that the image breaks, and what is said of it.
fn broken(name: &str, boot: &[&str], host: &str, make: &dyn Fn(&Tree)) -> (Vec<String>, String) {
    let pair = Pair::new(name, |tree, side| {
        if side == Side::A {
            sound(tree);
            make(tree);
            tree.squashfs(&[], EPOCH);
            tree.iso(&[&DATE, boot].concat());
            fs::write(tree.dir.join("build.json"), format!("{{\"host\": \"{host}\"}}")).unwrap();
        }
    });
    inspect(name, &pair.both("image.iso")[0])
}

/// Rules that a file breaks, and what is said of it.
fn inspect(name: &str, image: &Path) -> (Vec<String>, String) {
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_diagnose"));
    inspect.args(["inspect", "--json", "--recipe", "base"]).arg(image);
    let output = inspect.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let json: serde_json::Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
    let violations = json["violations"].as_array().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!violations.is_empty())), "{name}");
    let rules = violations.iter().map(|v| v["rule"].as_str().unwrap().to_owned()).collect();
    let all: Vec<&str> = violations.iter().map(|v| v["what"].as_str().unwrap()).collect();
    (rules, format!("{name}: {}", all.join("\n")))
}

/// One way to change the sound image.
struct Case {
    name: &'static str,
    /// The rule that is broken; every violation is of this rule. Empty: none is.
    rule: &'static str,
    /// A part of what is said.
    says: &'static str,
    make: fn(&Tree),
}

/// Makes the image of every case, and checks what is said of it.
#[track_caller]
fn check(cases: &[Case]) {
    let both = [&BIOS[..], &UEFI].concat();
    for case in cases {
        let (rules, said) = broken(case.name, &both, "laptop", &case.make);
        assert_eq!(rules.is_empty(), case.rule.is_empty(), "{said}");
        assert!(rules.iter().all(|rule| rule == case.rule), "{rules:?} {said}");
        assert!(said.contains(case.says), "expected {} in {said}", case.says);
    }
}

#[test]
fn a_sound_image_holds_it() {
    needs_tools!();
    let both = [&BIOS[..], &UEFI].concat();
    let (rules, said) = broken("sound", &both, "laptop", &|_| {});
    assert_eq!(rules, [""; 0], "{said}");
}

#[test]
fn an_image_without_its_desktop_is_another_flavor() {
    needs_tools!();
    let lxqt = wanted("kicksecure-lxqt");
    let inspected = |name: &'static str, packages: &[String], flavor: &[&str]| {
        let pair = Pair::new(name, |tree, side| {
            if side == Side::A {
                sound(tree);
                tree.write("var/lib/dpkg/status", &installed(packages));
                tree.squashfs(&[], EPOCH);
                tree.iso(&[&DATE[..], &BIOS, &UEFI].concat());
            }
        });
        let mut inspect = Command::new(env!("CARGO_BIN_EXE_diagnose"));
        inspect.args(["inspect", "--recipe", "base"]).args(flavor).arg(&pair.both("image.iso")[0]);
        let output = inspect.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let flavor = ["--flavor", "kicksecure-lxqt"];
    assert_eq!(inspected("desktop", &lxqt, &flavor).0, 0);
    assert_eq!(inspected("desktop-unnamed", &lxqt, &[]).0, 0);
    for n in 0..lxqt.len() {
        let mut others = lxqt.clone();
        let gone = others.remove(n);
        let (code, said) = inspected("lacks", &others, &flavor);
        let lacks = format!("packages are missing: to be kicksecure-lxqt it lacks {gone}");
        assert!(code == 1 && said.contains(&lacks), "{said}");
    }
    let cli = wanted("kicksecure-cli");
    let (code, said) = inspected("no-desktop", &cli, &flavor);
    assert!(code == 1 && said.contains("kicksecure-baremetal-gui-lxqt, lxqt-session"), "{said}");
    assert_eq!(inspected("cli-unnamed", &cli, &[]).0, 0);
    let (code, said) = inspected("neither", &[], &[]);
    assert!(code == 1 && said.contains("; to be kicksecure-lxqt it lacks "), "{said}");
    assert_eq!(inspected("no-such-flavor", &cli, &["--flavor", "kde"]).0, 2);
}

#[test]
fn every_single_fault_is_found_and_no_other() {
    needs_tools!();
    type Make = fn(&Tree);
    let cases: [(&str, &str, Make); 22] = [
        ("host-keys", "ssh_host_ed25519_key", |t| t.write("etc/ssh/ssh_host_ed25519_key", "")),
        ("logs", "var/log/apt/history.log", |t| t.write("var/log/apt/history.log", "x")),
        ("logs", "make.log", |t| t.write("var/lib/dkms/tirdad/0.1/log/make.log", "x")),
        ("apt-lists", "_InRelease", |t| t.write("var/lib/apt/lists/deb_InRelease", "")),
        ("random-seed", "random-seed", |t| t.write("var/lib/systemd/random-seed", "x")),
        ("nvme-hostid", "etc/nvme/hostid", |t| t.write("etc/nvme/hostid", "")),
        ("firmware-parameters", "etc/grub.d/01_reader", |t| {
            t.write("etc/grub.d/01_reader", "#!/bin/sh\ncat <<'EOF'\ninsmod SMBIOS\nEOF\n");
        }),
        ("firmware-parameters", "etc/default/grub.d/99_x.cfg", |t| {
            // a comment says nothing
            t.write("etc/grub.d/40_custom", "#!/bin/sh\n  # smbios\nexec tail -n +3 $0\n");
            t.write("etc/default/grub.d/99_x.cfg", "GRUB_CMDLINE_LINUX+=' ${smbios_extra}'\n");
        }),
        ("mok", "mok.key", |t| t.write("var/lib/dkms/mok.key", "")),
        ("credentials", ".docker/config.json", |t| t.write("root/.docker/config.json", "{}")),
        ("machine-id", "etc/machine-id", |t| t.write("etc/machine-id", &"a".repeat(33))),
        ("machine-id", "var/lib/dbus/machine-id", |t| {
            t.write("var/lib/dbus/machine-id", &"a".repeat(33));
        }),
        ("package-sources", "trixie-security", |t| {
            t.write("etc/apt/sources.list.d/debian.sources", &sources("trixie trixie-updates"));
        }),
        ("package-sources", "mirror.invalid", |t| {
            t.write("etc/apt/sources.list", "deb http://mirror.invalid/debian trixie main\n");
        }),
        ("kernel-parameters", "lacks slab_nomerge", |t| {
            let all = parameters();
            t.write("iso/boot/grub/grub.cfg", &menu(&[&all, &all[1..]]));
        }),
        ("kernel-parameters", "lacks init_on_alloc=1", |t| {
            let last = [parameters(), vec!["init_on_alloc=0".to_owned()]].concat();
            t.write("iso/boot/grub/grub.cfg", &menu(&[&last]));
        }),
        ("times", "etc/machine-id", |t| t.time("etc/machine-id", EPOCH + 1)),
        ("builder-path", "usr/bin/leak", |t| {
            t.write("usr/bin/leak", "/home/user/derivative-maker-copy/packages");
        }),
        ("builder-path", "usr/bin/leak", |t| {
            // across the border of what is read at once
            let at = (1 << 20) - 9;
            t.bytes(
                "usr/bin/leak",
                &[&vec![b'.'; at][..], b"/home/user/derivative-binary"].concat(),
            );
        }),
        ("package-cache", "etc/fstab", |t| t.write("etc/fstab", "http://127.0.0.1:9977/debian")),
        ("builder-host", "a-build-host-7", |t| t.write("etc/motd", "made on a-build-host-7\n")),
        ("secrets", "etc/ssl/private/key", |t| {
            t.write("etc/ssl/private/key", "-----BEGIN RSA PRIVATE KEY-----\nx\n");
        }),
    ];
    let both = [&BIOS[..], &UEFI].concat();
    for (rule, says, make) in cases {
        let (rules, said) = broken(rule, &both, "a-build-host-7", &make);
        assert_eq!(rules, [rule], "{said}");
        assert!(said.contains(says), "{says} in {said}");
    }
}

#[test]
fn what_is_missing_altogether_is_found() {
    needs_tools!();
    let (rules, said) = broken("no-uefi", &BIOS, "laptop", &|_| {});
    assert_eq!(rules, ["boot-path"], "{said}");
    assert!(said.contains("does not boot under UEFI"), "{said}");

    let both = [&BIOS[..], &UEFI].concat();
    let (rules, said) = broken("no-sources", &both, "laptop", &|tree| {
        fs::remove_file(tree.path("etc/apt/sources.list.d/debian.sources")).unwrap();
        fs::remove_file(tree.path("iso/boot/grub/grub.cfg")).unwrap();
    });
    let sources = ["package-sources"; 3];
    assert_eq!(rules, [&["kernel-parameters"][..], &sources].concat(), "{said}");
    assert!(said.contains("no package source is enabled"), "{said}");
}
