//! `reproduce --collect`: which statements count.

use crate::support::{Checkout, Ran, git, run};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

pub struct Statements {
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

/// A statement of today, with its environment.
fn statement(who: &str, rebuilt: char, environment: Value) -> Value {
    let (published, rebuilt) = ("a".repeat(64), rebuilt.to_string().repeat(64));
    let result = if rebuilt == published { "match" } else { "mismatch" };
    let stage = |stage: &str, path: &str, hash: &str| json!({ "stage": stage, "path": path, "sha256": hash, "size": 1 });
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "silvermetal-base.iso", "digest": { "sha256": rebuilt } }],
        "predicateType": "https://git.silverlabs.uk/SilverLABS/SilverMetal/rebuild/v1",
        "predicate": {
            "format": "silvermetal-rebuild/1", "release": "v1.1.0", "commit": "c".repeat(40),
            "recipe": "base", "iso": "silvermetal-base.iso", "result": result, "ci": false,
            "published_sha256": published, "rebuilt_sha256": rebuilt, "rebuilder": who,
            "environment": environment,
            "inputs": { "Builder-Image": format!("registry.example:5000/b@sha256:{}", "e".repeat(64)) },
            "stages": [stage("inputs", "in", &"7".repeat(64)), stage("rootfs", "rootfs.tar", &rebuilt)],
        },
    })
}

/// Twelve rebuilders. Four got another image: two on btrfs, two with a newer kernel.
fn twelve() -> Vec<(String, Value)> {
    let machine = |kernel: &str, cpu: &str, file_system: &str| {
        json!({ "engine": "docker", "engine_version": "28.2.2", "kernel": kernel, "cpu": cpu,
            "cpus": 8, "file_system": file_system, "rustc": "rustc 1.89.0" })
    };
    let (amd, intel) = ("AMD Ryzen 9 5950X", "Intel(R) Core(TM) i7-1365U");
    let mut all = Vec::new();
    for (n, who) in ["Ada", "Ben", "Cid", "Dee", "Eve", "Fay", "Gus", "Hal"].iter().enumerate() {
        let kernel = ["6.1.0-40-amd64", "6.12.57+deb13-amd64"][n % 2];
        all.push((*who, 'a', machine(kernel, [amd, intel][n / 4], "ext4")));
    }
    all.push(("Ida", 'b', machine("6.1.0-40-amd64", amd, "btrfs")));
    all.push(("Jon", 'b', machine("6.12.57+deb13-amd64", intel, "btrfs")));
    all.push(("Kim", 'd', machine("6.17.9-arch1-1", intel, "ext4")));
    all.push(("Leo", 'd', machine("6.17.2-200.fc42.x86_64", amd, "ext4")));
    let named = |(who, hash, environment): (&str, char, Value)| {
        let full = format!("{who} <{}@example.org>", who.to_lowercase());
        (format!("{who}.json"), statement(&full, hash, environment))
    };
    all.into_iter().map(named).collect()
}

#[test]
fn mismatches_are_grouped_by_image_and_by_what_only_they_have() {
    let all = Statements::new();
    for (name, statement) in twelve() {
        fs::write(all.dir.join(name), statement.to_string()).unwrap();
    }
    let page = all.checkout.root.with_file_name("rebuilders.html");
    let dir = all.dir.to_str().unwrap();
    let words = ["reproduce", "--collect", dir, "--html", page.to_str().unwrap()];
    let ran = run(&mut all.checkout.xtask(words)).exits(0);
    let group = |c: char| {
        let start = format!("image {}: ", c.to_string().repeat(64));
        let text = ran.stdout.split_once(&start).unwrap().1;
        text.split("\nimage ").next().unwrap().to_owned()
    };
    let btrfs = group('b');
    assert!(btrfs.starts_with("ida@example.org, jon@example.org\n"), "{btrfs}");
    assert!(btrfs.contains("first stage that differs: rootfs (rootfs.tar)"), "{btrfs}");
    assert!(btrfs.contains("only they have: file system btrfs\n"), "{btrfs}");
    assert_eq!(btrfs.matches("only they have: ").count(), 1, "{btrfs}");
    let kernel = group('d');
    assert!(kernel.contains("only they have: kernel series 6.17\n"), "{kernel}");
    assert_eq!(kernel.matches("only they have: ").count(), 1, "{kernel}");
    assert!(kernel.contains("others have it, too: engine docker"), "{kernel}");
    assert!(ran.stdout.contains("8 independent rebuilders agree"), "{}", ran.stdout);
    let html = fs::read_to_string(&page).unwrap();
    for word in ["2 other images", "4 got another image", "btrfs", "6.17.9-arch1-1", "Kim"] {
        assert!(html.contains(word), "{word}");
    }
    assert!(!html.contains("@example.org"), "a page that is published has no addresses");
    // a file that is no page is not replaced
    fs::write(&page, "mine").unwrap();
    run(&mut all.checkout.xtask(words)).exits(3).says("it is not an earlier report");
    let json = run(all.checkout.xtask(&words[..3]).arg("--json")).exits(0);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["groups"][0]["only_they"][0]["value"], "btrfs");
}

#[test]
fn statements_come_from_repositories_too() {
    let all = Statements::new();
    let repository = all.checkout.root.with_file_name("repository");
    fs::create_dir_all(repository.join("sub")).unwrap();
    git(&repository, &["init", "--quiet"]);
    let twelve = twelve();
    for (name, statement) in &twelve[..2] {
        fs::write(repository.join("sub").join(name), statement.to_string()).unwrap();
    }
    std::os::unix::fs::symlink("/etc/hostname", repository.join("link.json")).unwrap();
    fs::write(repository.join("broken.json"), "{").unwrap();
    git(&repository, &["add", "--all"]);
    git(&repository, &["commit", "--quiet", "-m", "statements"]);
    let bare = all.checkout.root.with_file_name("bare.git");
    let outer = all.checkout.root.parent().unwrap();
    git(
        outer,
        &["clone", "--quiet", "--bare", repository.to_str().unwrap(), bare.to_str().unwrap()],
    );
    git(&bare, &["update-server-info"]);
    // one peer serves the repository and a statement as files
    let url = serve(outer.to_owned());
    fs::write(outer.join("one.json"), twelve[2].1.to_string()).unwrap();
    let more = [bare.to_str().unwrap().to_owned(), format!("{url}/one.json")];
    for sources in [&more[..], &[repository.to_str().unwrap().to_owned(), more[1].clone()]] {
        let mut command =
            all.checkout.xtask(["reproduce", "--json", "--threshold", "3", "--collect"]);
        let ran = run(command.args(sources)).exits(0);
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        let expected = json!(["ada@example.org", "ben@example.org", "cid@example.org"]);
        assert_eq!(json["agree"], expected, "{sources:?}");
        assert!(ran.stdout.contains("not JSON"), "{}", ran.stdout);
    }
    let nowhere = format!("{url}/nowhere");
    let ran = run(&mut all.checkout.xtask(["reproduce", "--collect", &nowhere])).exits(3);
    ran.says("expected a statement (….json) or a git repository");
    run(&mut all.checkout.xtask(["reproduce", "--collect", "ext::sh -c id://x"])).exits(2);
}

/// Serves the files of a folder on loopback.
fn serve(dir: PathBuf) -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, dir) = (stream.unwrap(), dir.clone());
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let (mut first, mut line) = (String::new(), String::new());
                lines.read_line(&mut first).unwrap();
                while lines.read_line(&mut line).is_ok_and(|n| n > 2) {
                    line.clear();
                }
                let path = first.split(' ').nth(1).unwrap().split('?').next().unwrap();
                let found = fs::read(dir.join(path.trim_start_matches('/')));
                let status = if found.is_ok() { "200 OK" } else { "404 Not Found" };
                let body = found.unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).ok();
            });
        }
    });
    url
}

#[test]
fn hostile_statements_are_told_and_not_counted() {
    let all = Statements::new();
    let good = statement("Ada", 'a', json!({}));
    let with = |path: &[&str], value: Value| {
        let mut statement = good.clone();
        let mut at = &mut statement;
        for key in path {
            at = &mut at[*key];
        }
        *at = value;
        statement
    };
    let add = |name: &str, statement: &Value| {
        fs::write(all.dir.join(name), statement.to_string()).unwrap()
    };
    add("good.json", &good);
    // another image as the subject would stand for the confirmed one
    add("subject.json", &with(&["subject"], json!([{ "digest": { "sha256": "b".repeat(64) } }])));
    add("none.json", &with(&["subject"], json!([])));
    add("type.json", &with(&["predicateType"], json!("https://slsa.dev/provenance/v1")));
    add("kernel.json", &with(&["predicate", "environment"], json!({ "kernel": { "x": 1 } })));
    let long = json!({ "cpu": "x".repeat(1000) });
    add("long.json", &with(&["predicate", "environment"], long));
    add("stages.json", &with(&["predicate", "stages"], json!(vec![json!({}); 10_001])));
    fs::write(all.dir.join("deep.json"), "[".repeat(500_000)).unwrap();
    let ran = all.count("1").exits(0);
    for says in [
        "the subject is not the image that was rebuilt",
        "expected a list `subject`",
        "`predicateType`: expected https://git.silverlabs.uk",
        "`kernel`: expected a text or a number",
        "`cpu`: expected at most 300 bytes",
        "expected at most 10000, found 10001",
        "not JSON",
    ] {
        assert!(ran.stdout.contains(says), "{says} is not in\n{}", ran.stdout);
    }
    assert!(
        ran.stdout.contains("only 1 independent") || ran.stdout.contains("1 independent"),
        "{}",
        ran.stdout
    );
    // names do not steer the terminal, and do not become markup
    let evil =
        json!({ "kernel": "\u{1b}[2J<script>alert(1)</script>", "cpu": "x\nmatch  everybody" });
    add("evil.json", &statement("Mal <script>\u{1b}[31m <mal@example.org>", 'b', evil));
    let page = all.checkout.root.with_file_name("rebuilders.html");
    let dir = all.dir.to_str().unwrap();
    let words =
        ["reproduce", "--collect", dir, "--threshold", "1", "--html", page.to_str().unwrap()];
    let ran = run(&mut all.checkout.xtask(words)).exits(0);
    let html = fs::read_to_string(&page).unwrap();
    assert!(
        !ran.stdout.contains('\u{1b}') && !ran.stdout.contains("\nmatch  every"),
        "{}",
        ran.stdout
    );
    assert!(!html.contains("<script") && !html.contains('\u{1b}') && html.contains("&lt;script"));
}
