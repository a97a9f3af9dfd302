//! Images whose every name and field is bad: volume, files, packages, boot menus, archives, records.

use crate::records::output_folder;
use crate::support::{Checkout, STUB, run};
use crate::words::{BAD, bytes, harm, scratch, shows_bad_words, with, words};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_core::exec::which;

/// The tools that make the images, and their Debian packages.
const TOOLS: [(&str, &str); 2] = [("mksquashfs", "squashfs-tools"), ("xorriso", "xorriso")];

/// Position and length of the text fields of an ISO's primary volume descriptor (ECMA-119, 8.4).
const FIELDS: [(usize, usize); 9] = [
    (8, 32),
    (40, 32),
    (190, 128),
    (318, 128),
    (446, 128),
    (574, 128),
    (702, 37),
    (739, 37),
    (776, 37),
];

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A member of an `ar` or a header of a `tar` has room for 16 or 100 bytes of a name.
fn ar(content: &[u8]) -> Vec<u8> {
    let name: String = BAD.replace(['/', '\n'], " ").chars().take(8).collect();
    let mut bytes = b"!<arch>\n".to_vec();
    bytes.extend([name.as_bytes(), &[b' '; 16]].concat()[..16].to_vec());
    bytes.extend(
        format!("{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", content.len()).bytes(),
    );
    bytes.extend(content);
    bytes
}

fn cpio(name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in [(name, content), (b"TRAILER!!!", b"")] {
        let fields = [1, 0o100_644, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        bytes.extend(b"070701");
        bytes.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        bytes.extend(name.iter().chain(&[0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// A build's folder with an image; `side` makes the content of all files differ.
fn image(dir: &Path, side: &str) -> PathBuf {
    let bad = |suffix: &str| bytes(suffix);
    let text = format!("{side} {BAD}\n");
    let root = dir.join("root");
    for name in [bad("file"), bad(side), bad("folder").join(bad("inside"))] {
        write(&root.join("etc").join(name), text.as_bytes());
    }
    write(&root.join("usr/lib/os-release"), format!("NAME=\"{text}\"\nVERSION={text}").as_bytes());
    let line = text.replace('\n', " ");
    let status = format!(
        "Package: {line}\nStatus: install ok installed\nVersion: {line}\nMaintainer: {line}\n\n\
         Package: base\nStatus: {line}\nVersion: 1{side}\nDescription: {line}\n\n"
    );
    write(&root.join("var/lib/dpkg/status"), status.as_bytes());
    write(
        &root.join("etc/apt/sources.list.d").join(bad(".list")),
        format!("deb {line}").as_bytes(),
    );
    write(&root.join("etc/machine-id"), text.as_bytes());
    write(&root.join("etc/passwd"), format!("{line}:x:0:0:{line}:/:{line}\n").as_bytes());
    symlink(bad(side), root.join("etc/link")).unwrap();

    let iso = dir.join("iso");
    for name in ["live/filesystem.squashfs", "live/more\u{1b}[2J.squashfs"] {
        fs::create_dir_all(iso.join("live")).unwrap();
        let mut squash = Command::new("mksquashfs");
        squash.arg(&root).arg(iso.join(name)).args(["-no-progress", "-quiet"]);
        run(squash.env_remove("SOURCE_DATE_EPOCH")).exits(0);
    }
    let menu = format!(
        "menuentry \"{line}\" --id '{line}' {{\n linux /live/{line} {line} x={side}\n initrd {line}\n}}\n{text}"
    );
    write(&iso.join("boot/grub/grub.cfg"), menu.as_bytes());
    write(
        &iso.join("isolinux/isolinux.cfg"),
        format!("label {line}\n kernel {line}\n append {line}\n").as_bytes(),
    );
    for name in [bad("on the iso"), bad(side), bad("sub").join(bad("file"))] {
        write(&iso.join(name), text.as_bytes());
    }
    let name: Vec<u8> = bytes(side).as_os_str().as_bytes().to_vec();
    write(&iso.join("live/initrd.img"), &cpio(&name, text.as_bytes()));
    write(&iso.join("pool").join(bad(".deb")), &ar(text.as_bytes()));
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&root).arg("-cf").arg(iso.join("live/tree.tar")).arg("etc");
    run(&mut tar).exits(0);
    run(Command::new("gzip").args(["-k", "-N"]).arg(iso.join("live/tree.tar"))).exits(0);

    output_folder(dir);
    let target = dir.join("x.iso");
    let mut xorriso = Command::new("xorriso");
    xorriso.args(["-as", "mkisofs", "-quiet", "-R", "-o"]).args([&target, &iso]);
    run(&mut xorriso).exits(0);
    let mut image = fs::read(&target).unwrap();
    for (at, length) in FIELDS {
        let field = text.bytes().cycle().take(length);
        image.splice(0x8000 + at..0x8000 + at + length, field);
    }
    fs::write(&target, image).unwrap();
    let records = [
        (
            "BUILD_INFO",
            format!(
                "Iso: x.iso\nRecipe: {line}\nCommit: {line}\nEngine: {line}\nMksquashfs-Options: {line}\n"
            ),
        ),
        ("ledger", format!("{} {} 1 {}\n", line.replace(' ', ""), "a".repeat(64), line)),
        ("packages.txt", text.clone()),
        (
            "build.json",
            serde_json::json!({ "host": line, "user": text, "started": text }).to_string(),
        ),
    ];
    for (name, content) in records {
        fs::write(dir.join(name), content).unwrap();
    }
    target
}

#[test]
fn no_name_or_field_of_an_image_steers_a_terminal() {
    if let Some((tool, package)) = TOOLS.iter().find(|(tool, _)| which(tool).is_none()) {
        assert!(
            !std::env::args().any(|word| word == "--include-ignored"),
            "apt-get install {package}"
        );
        eprintln!("SKIPPED: {tool} is not installed");
        return;
    }
    let checkout = Checkout::new("images");
    let scratch = scratch(&checkout);
    let beside = checkout.root.with_file_name("built");
    let [a, b] = ["a", "b"].map(|side| image(&beside.join(bytes(side)), side));
    let (dir_a, dir_b) = (a.parent().unwrap(), b.parent().unwrap());
    let page = beside.join(bytes(".html"));
    let diagnose = |list: &[&str], paths: &[&Path]| {
        with(&[&["diagnose", "--diffoscope=never"], list].concat(), paths)
    };
    let squashfs = dir_b.join("iso/live/filesystem.squashfs");
    let commands: Vec<Vec<PathBuf>> = vec![
        diagnose(&[], &[&a, &b]),
        diagnose(&["--json"], &[&a, &b]),
        diagnose(&[], &[dir_a, dir_b]),
        diagnose(&[], &[&dir_a.join("iso"), &dir_b.join("iso")]),
        diagnose(&["--json"], &[&dir_a.join("root"), &dir_b.join("root")]),
        diagnose(&["--html"], &[&page, &a, &b]),
        diagnose(&["--html"], &[dir_b, &a, &b]),
        with(&["inspect", "--recipe", "base"], &[&a]),
        with(&["inspect", "--recipe", "canary", "--json"], &[&a]),
        with(&["inspect", "--recipe", "base"], &[&squashfs]),
        with(&["inspect"], &[&dir_b.join("iso/live/initrd.img")]),
        with(&["verify", "--compare"], &[dir_a, dir_b]),
        with(&["boot", "--dry-run", "-v"], &[&a]),
        with(&["boot", "--dry-run", "--json", "--output"], &[dir_b, &a]),
        with(&["boot", "--timeout", BAD], &[&a]),
        with(&["boot", "--firmware"], &[&bytes(""), &a]),
        with(&["boot"], &[&dir_a.join(bytes("none.iso"))]),
        with(&["boot"], &[&dir_a.join("BUILD_INFO")]),
        words(&["completions", BAD]),
        words(&["test", &format!("--{BAD}")]),
        words(&[BAD]),
    ];
    let path = checkout.path_with("docker", STUB);
    let (mut escaped, mut found) = (0, Vec::new());
    for arguments in commands {
        for ci in ["", "true"] {
            let ran = run(checkout.xtask(&arguments).env("CI", ci).env("PATH", &path));
            escaped += usize::from(shows_bad_words(&ran));
            found.extend(harm(&format!("{arguments:?} CI={ci}"), &ran, &scratch));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    assert!(escaped > 20, "only {escaped} outputs show a bad word at all");
    let page = fs::read_to_string(page).unwrap();
    let steers = |c: &char| xtask_core::escape::steers(*c) && !"\n\t".contains(*c);
    assert_eq!(page.chars().find(steers), None);
    assert!(page.contains("touch x"), "the page names the files");
}
