//! `reproduce --collect`: which statements count.

use crate::support::{Checkout, Ran, run};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

struct Statements {
    checkout: Checkout,
    dir: PathBuf,
}

impl Statements {
    fn new() -> Statements {
        let checkout = Checkout::new("collect");
        let dir = checkout.root.with_file_name("statements");
        fs::create_dir_all(dir.join("below")).unwrap();
        Statements { checkout, dir }
    }

    fn add(&self, file: &str, rebuilder: &str, changes: Value) {
        let mut statement = json!({
            "format": "silvermetal-rebuild/1", "release": "v1.1.0", "commit": "c".repeat(40),
            "recipe": "base", "iso": "silvermetal-base.iso", "result": "match", "ci": false,
            "published_sha256": "a".repeat(64), "rebuilt_sha256": "a".repeat(64),
            "rebuilder": rebuilder,
        });
        for (key, value) in changes.as_object().unwrap() {
            statement[key] = value.clone();
        }
        fs::write(self.dir.join(file), statement.to_string()).unwrap();
    }

    fn count(&self, threshold: &str) -> Ran {
        let dir = self.dir.to_str().unwrap();
        run(&mut self.checkout.xtask(["reproduce", "--collect", dir, "--threshold", threshold]))
    }
}

#[test]
fn each_independent_rebuilder_counts_once_and_ci_never() {
    let all = Statements::new();
    all.add("alice.json", "Alice <alice@example.org>", json!({}));
    all.add("below/alice-again.json", "A. <ALICE@example.org>", json!({}));
    all.add("ci.json", "runner", json!({ "ci": true }));
    all.add("anonymous.json", " ", json!({}));
    let ran = all.count("2").exits(1).says("1 of 2 independent rebuilders agree");
    assert!(ran.stdout.contains("not counted  made by CI"), "{}", ran.stdout);
    assert!(ran.stdout.contains("not counted  it names no rebuilder"), "{}", ran.stdout);
    all.add("bob.json", "Bob", json!({}));
    let ran = all.count("2").exits(0);
    assert!(ran.stdout.contains("2 independent rebuilders agree; required: 2"), "{}", ran.stdout);
    all.count("3").exits(1);
}

#[test]
fn an_invalid_statement_is_reported_and_not_counted() {
    let all = Statements::new();
    all.add("alice.json", "alice", json!({}));
    all.add("lies.json", "eve", json!({ "rebuilt_sha256": "b".repeat(64) }));
    all.add("failed.json", "carol", json!({ "result": "could-not-build", "rebuilt_sha256": null }));
    all.add("later.json", "dave", json!({ "format": "silvermetal-rebuild/2" }));
    fs::write(all.dir.join("verify.json"), "{}").unwrap();
    fs::write(all.dir.join("broken.json"), "{").unwrap();
    fs::write(all.dir.join("empty.json"), "").unwrap();
    fs::write(all.dir.join("bytes.json"), [0xff, 0xfe]).unwrap();
    fs::write(all.dir.join("notes.txt"), "not a JSON file, so ignored").unwrap();
    let ran = all.count("1").exits(0);
    for line in [
        "the result `match` contradicts its hashes",
        "carol could not build",
        "expected format silvermetal-rebuild/1, found silvermetal-rebuild/2",
        "not JSON",
        "bytes.json:1: expected UTF-8",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    assert!(ran.stdout.contains("1 independent rebuilders agree"), "{}", ran.stdout);
    all.count("2").exits(1);
}

#[test]
fn a_rebuilder_with_both_results_does_not_agree() {
    let all = Statements::new();
    let mismatch = json!({ "result": "mismatch", "rebuilt_sha256": "b".repeat(64) });
    all.add("a.json", "alice", json!({}));
    all.add("b.json", "bob", json!({}));
    all.add("b2.json", "bob", mismatch);
    let ran = all.count("1").exits(0);
    assert!(ran.stdout.contains("bob got another image: report it"), "{}", ran.stdout);
    all.count("2").exits(1);
}

#[test]
fn statements_about_several_images_need_the_name_of_the_release() {
    let all = Statements::new();
    all.add("a.json", "alice", json!({}));
    let other = "d".repeat(64);
    all.add("b.json", "bob", json!({ "published_sha256": other, "rebuilt_sha256": other }));
    all.count("1")
        .exits(2)
        .says("the statements are about 2 images")
        .says("cargo xtask reproduce TAG");
    // with a release, only statements about its image count
    let release = all.checkout.root.with_file_name("release");
    fs::create_dir(&release).unwrap();
    fs::write(release.join("SHA256SUMS"), format!("{other}  silvermetal-base.iso\n")).unwrap();
    let info = format!(
        "Format: silvermetal-build-info/1\nCommit: {}\nIso: silvermetal-base.iso\nIso-Sha256: {other}\n",
        "c".repeat(40)
    );
    fs::write(release.join("BUILD_INFO"), info).unwrap();
    let words = ["reproduce", release.to_str().unwrap(), "--json", "--threshold", "1", "--collect"];
    let ran = run(all.checkout.xtask(words).arg(&all.dir)).exits(0);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["agree"], json!(["bob"]));
}

#[test]
fn an_empty_folder_is_not_enough() {
    let all = Statements::new();
    all.count("1").exits(1).says("0 of 1");
    all.count("0").exits(2);
    fs::remove_dir_all(&all.dir).unwrap();
    all.count("1").exits(2).says("cannot list");
}
