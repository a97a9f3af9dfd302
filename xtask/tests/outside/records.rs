//! Records that others made: pipes, devices, decoys and paths.

use crate::support::{Checkout, run};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_core::hash;

/// Changes the records of a folder.
type Spoil = fn(&Path);

/// A folder as a build leaves it, with an image of one byte.
pub fn output_folder(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("x.iso"), "x").unwrap();
    let digest = hash::text("x");
    let info = format!(
        "Format: silvermetal-build-info/1\nRecipe: canary\nCommit: {}\nTree: clean\nIso: x.iso\n\
         Iso-Sha256: {}\nIso-Size: 1\nApt-Pinned: yes\n",
        "0".repeat(40),
        digest.hex()
    );
    fs::write(dir.join("BUILD_INFO"), info).unwrap();
    fs::write(dir.join("ledger"), format!("iso {} 1 x.iso\n", digest.hex())).unwrap();
    fs::write(dir.join("SHA256SUMS"), format!("{}  x.iso\n", digest.hex())).unwrap();
}

/// A folder as `release build` leaves it, with the tag `test-1`.
pub fn release_folder(checkout: &Checkout) -> PathBuf {
    let dir = checkout.root.with_file_name("release");
    output_folder(&dir);
    fs::remove_file(dir.join("ledger")).unwrap();
    let file = |name: &str| {
        let (digest, size) = hash::file(&dir.join(name)).unwrap();
        json!({ "name": name, "sha256": digest.hex(), "size": size })
    };
    let files = ["BUILD_INFO", "x.iso", "SHA256SUMS"].map(file);
    let list = json!({
        "format": "silvermetal-release/1", "tag": "test-1", "test": true, "recipe": "canary",
        "commit": "0".repeat(40), "iso": "x.iso",
        "files": files,
    });
    fs::write(dir.join("release.json"), list.to_string()).unwrap();
    dir
}

fn pipe(dir: &Path, name: &str) {
    fs::remove_file(dir.join(name)).unwrap();
    assert!(Command::new("mkfifo").arg(dir.join(name)).status().unwrap().success());
}

fn link(dir: &Path, name: &str, target: &str) {
    fs::remove_file(dir.join(name)).unwrap();
    std::os::unix::fs::symlink(target, dir.join(name)).unwrap();
}

fn edit(dir: &Path, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(dir.join(name), text.replacen(from, to, 1)).unwrap();
}

fn prepend(dir: &Path, name: &str, line: &str) {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    fs::write(dir.join(name), format!("{line}\n{text}")).unwrap();
}

#[test]
fn records_that_are_no_files_or_say_two_things_are_refused() {
    let checkout = Checkout::new("records");
    let other = "b".repeat(64);
    let cases: [(&str, Spoil); 16] = [
        ("expected a regular file", |dir| pipe(dir, "BUILD_INFO")),
        ("expected a regular file", |dir| pipe(dir, "ledger")),
        ("expected a regular file", |dir| pipe(dir, "SHA256SUMS")),
        ("expected a regular file", |dir| pipe(dir, "x.iso")),
        ("expected a regular file", |dir| link(dir, "BUILD_INFO", "/dev/zero")),
        ("cannot read", |dir| link(dir, "ledger", "/dev/tty")),
        ("expected a regular file", |dir| link(dir, "SHA256SUMS", "/dev/zero")),
        ("cannot read", |dir| link(dir, "ledger", "ledger")),
        ("Iso: expected a file name", |dir| edit(dir, "BUILD_INFO", "x.iso", "../a/x.iso")),
        ("Iso: expected a file name", |dir| edit(dir, "BUILD_INFO", "x.iso", "/etc/passwd")),
        ("a second field", |dir| prepend(dir, "BUILD_INFO", "ISO: y.iso")),
        ("a second field", |dir| {
            prepend(dir, "BUILD_INFO", &format!("Iso-Sha256: {}\n", "b".repeat(64)))
        }),
        ("expected one hash", |dir| {
            prepend(dir, "SHA256SUMS", &format!("{} *./x.iso", "b".repeat(64)))
        }),
        ("expected one hash", |dir| {
            prepend(dir, "SHA256SUMS", &format!("SHA256 (x.iso) = {}", "b".repeat(64)))
        }),
        ("expected `STAGE", |dir| edit(dir, "ledger", "x.iso", "../../x.iso")),
        ("has two lines", |dir| prepend(dir, "ledger", &format!("iso {} 1 x.iso", "b".repeat(64)))),
    ];
    for (n, (expected, spoil)) in cases.into_iter().enumerate() {
        let [a, b] = ["a", "b"].map(|name| checkout.root.with_file_name(format!("{n}{name}")));
        output_folder(&a);
        output_folder(&b);
        spoil(&b);
        let ran = run(checkout.xtask(["verify", "--compare"]).args([&a, &b]));
        assert!([2, 4].contains(&ran.code), "{n}: {ran:?}");
        ran.says(expected);
    }
    // a decoy in another folder says nothing about the image
    let [a, b] = ["a", "b"].map(|name| checkout.root.with_file_name(name));
    output_folder(&a);
    output_folder(&b);
    prepend(&b, "SHA256SUMS", &format!("{other}  decoy/x.iso"));
    run(checkout.xtask(["verify", "--compare"]).args([&a, &b])).exits(0);
}
