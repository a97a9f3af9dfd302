//! `inspect A B`: packages, sizes, files and kernel command lines that changed.

use crate::support::{EPOCH, Pair, Side, Tree};
use crate::{BIOS, DATE, UEFI, menu, parameters, sound};
use std::process::Command;

fn pair(name: &str, make: impl Fn(&Tree, Side)) -> Pair {
    Pair::new(name, |tree, side| {
        sound(tree);
        make(tree, side);
        tree.squashfs(&[], EPOCH);
        tree.iso(&[&DATE, &BIOS[..], &UEFI].concat());
    })
}

/// Exit code and stdout of `inspect A B`.
fn compared(pair: &Pair, options: &[&str]) -> (i32, String) {
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_diagnose"));
    inspect.arg("inspect").args(options).args(pair.both("image.iso"));
    let output = inspect.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn installed(packages: &[(&str, &str)]) -> String {
    let package = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
    };
    packages.iter().map(package).collect()
}

#[test]
fn changes_are_shown_as_people_read_them() {
    needs_tools!();
    let pair = pair("two-images", |tree, side| {
        let packages = side.pick(
            [("bash", "5.2-1"), ("same", "1"), ("vim", "9")],
            [("bash", "5.2-2"), ("same", "1"), ("zsh", "5")],
        );
        tree.write("var/lib/dpkg/status", &installed(&packages));
        let version = side.pick("6.1", "6.2");
        for module in ["a.ko", "b.ko"] {
            tree.write(&format!("usr/lib/modules/{version}/{module}"), "x");
        }
        tree.write("usr/lib/modules/README", side.pick("one", "another"));
        let words = side.pick(vec!["debug=0".to_owned()], vec!["debug=1".to_owned()]);
        tree.write("iso/boot/grub/grub.cfg", &menu(&[&[parameters(), words].concat()]));
        tree.write(side.pick("iso/old.txt", "iso/new.txt"), "x");
    });
    let (code, text) = compared(&pair, &[]);
    assert_eq!(code, 1, "{text}");
    for line in [
        "3 of 3 packages changed\n  bash 5.2-1 → 5.2-2\n  only in A: vim 9\n  only in B: zsh 5\nsizes\n",
        "\n  root file system, unpacked: ",
        "kernel command line: the same in 0 boot entries; changed:\n  -debug=0 +debug=1\n    in `Live` (boot/grub/grub.cfg)\n",
        "files of the system: 3 came, 3 went\n  came: /usr/lib/modules/6.2 (3 entries)\n  went: /usr/lib/modules/6.1 (3 entries)\n",
        "files of the image: 1 came, 1 went\n  came: new.txt\n  went: old.txt\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let (code, json) = compared(&pair, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 1);
    assert_eq!(json["changes"][0]["b"], "5.2-2");
    assert_eq!(json["sizes"][0]["what"], "image");
    assert_eq!(json["command_lines"][0]["added"][0], "debug=1");
    assert_eq!(json["system_files"]["came"][0]["path"], "/usr/lib/modules/6.2");
    assert_eq!(json["system_files"]["came"][0]["entries"], 3);
    assert_eq!(json["image_files"]["went"][0]["path"], "old.txt");
}

#[test]
fn contents_alone_are_left_to_diagnose() {
    needs_tools!();
    let contents = pair("two-contents", |tree, side| {
        tree.write("usr/share/x", side.pick("one", "other"));
    });
    let (code, text) = compared(&contents, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("packages\nbut the images differ; next: cargo xtask diagnose "),
        "{text}"
    );
    let file = pair("two-files", |tree, side| {
        tree.write(side.pick("usr/share/x", "usr/share/y"), "x");
    });
    let (code, text) = compared(&file, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.starts_with("the same ") && text.contains("\n  went: /usr/share/x\n"), "{text}");
}
