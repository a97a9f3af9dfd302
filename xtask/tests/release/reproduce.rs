//! `reproduce`, by somebody who has only a clone and the URL of a release.

use crate::factory::{Factory, TAG};
use crate::gitea::{DOWNLOAD, Gitea, How, TOKEN};
use crate::support::{Checkout, Ran, git, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct World {
    pub factory: Factory,
    /// Folder of the release, in the checkout that built it.
    folder: PathBuf,
    pub gitea: Gitea,
    clone: Checkout,
}

impl World {
    /// A published release, and a clone of its repository.
    pub fn new() -> World {
        let (factory, folder) = Factory::with_a_release();
        let gitea = Gitea::new();
        let mut publish = factory.xtask(&["release", "publish", "--repository", &gitea.url]);
        run(publish.env("SILVERMETAL_RELEASE_TOKEN", TOKEN)).exits(0);
        let clone = factory.checkout.clone_under("022", "a clone");
        World { factory, folder, gitea, clone }
    }

    pub fn reproduce(&self, words: &[&str]) -> Command {
        let all =
            [&["reproduce", "--engine", "docker", "--as", "Alice <alice@example.org>"], words]
                .concat();
        self.factory.xtask_in(&self.clone, &all)
    }

    pub fn of_tag(&self) -> Command {
        self.reproduce(&[TAG, "--repository", &self.gitea.url])
    }

    pub fn out(&self) -> PathBuf {
        self.clone.output().join(format!("reproduce-{TAG}"))
    }

    pub fn statement(&self) -> Value {
        let text = fs::read_to_string(self.out().join("rebuild.json")).unwrap();
        let mut statement: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
        let digest = &statement["subject"][0]["digest"];
        let predicate = &statement["predicate"];
        match predicate["rebuilt_sha256"].as_str() {
            Some(rebuilt) => assert_eq!(digest["sha256"], rebuilt),
            None => assert_eq!(digest["gitCommit"], predicate["commit"]),
        }
        statement["predicate"].take()
    }

    /// Writes a file of a copy, with its hash in SHA256SUMS: a release that was published so.
    pub fn publish_as(copy: &Path, name: &str, content: &[u8]) {
        let old = fs::read(copy.join(name)).map(|old| sha256(&old));
        fs::remove_file(copy.join(name)).ok();
        fs::write(copy.join(name), content).unwrap();
        let path = copy.join("SHA256SUMS");
        let sums = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let new = format!("{}  {name}", sha256(content));
        let sums = match old {
            Ok(old) => sums.replace(&format!("{old}  {name}"), &new),
            Err(_) => sums + &new + "\n",
        };
        assert!(sums.contains(&new), "{sums}");
        fs::write(path, sums).unwrap();
    }

    /// A copy of the published files, for a test to change.
    pub fn copy(&self) -> PathBuf {
        let copy = self.clone.root.with_file_name("downloaded");
        run(Command::new("cp").arg("-r").args([&self.folder, &copy])).exits(0);
        copy
    }
}

fn sha256(bytes: &[u8]) -> String {
    let dir = std::env::temp_dir();
    let path = dir.join(format!("silvermetal-sha256-{:?}", std::thread::current().id()));
    fs::write(&path, bytes).unwrap();
    let sum = run(Command::new("sha256sum").arg(&path)).exits(0).stdout;
    fs::remove_file(path).unwrap();
    sum[..64].to_owned()
}

/// Changes the byte at `at` of a file.
fn flip(path: &Path, at: usize, to: u8) {
    let mut bytes = fs::read(path).unwrap();
    assert_ne!(bytes[at], to);
    bytes[at] = to;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_clone_and_an_url_are_enough_for_a_match() {
    let world = World::new();
    let page = format!("{}/releases/tag/{TAG}", world.gitea.url);
    let files = format!("{}/releases/download/{TAG}/SHA256SUMS", world.gitea.url);
    let mut said = Vec::new();
    for address in [&page, &files] {
        said.push(run(&mut world.reproduce(&[address])).exits(0));
    }
    said.push(run(&mut world.of_tag()).exits(0));
    let hash = world.statement()["published_sha256"].as_str().unwrap().to_owned();
    for ran in said {
        assert!(
            ran.stdout.starts_with(&format!("match: {hash}  silvermetal-base.iso")),
            "{}",
            ran.stdout
        );
    }
    let statement = world.statement();
    for (field, expected) in [
        ("result", "match"),
        ("release", TAG),
        ("rebuilt_sha256", hash.as_str()),
        ("rebuilder", "Alice <alice@example.org>"),
        ("recipe", "base"),
    ] {
        assert_eq!(statement[field], expected, "{field}");
    }
    assert_eq!(statement["ci"], false);
    assert_eq!(statement["inputs"]["Builder-Image"], world.factory.image.as_str());
    assert_eq!(world.gitea.asked("POST"), 1 + 8, "reproduce changes nothing on the server");
    // a release in a folder needs no server
    let folder = world.folder.to_str().unwrap();
    run(&mut world.reproduce(&[folder])).exits(0);
}

#[test]
fn one_flipped_byte_in_the_published_hash_is_a_mismatch() {
    let world = World::new();
    let copy = world.copy();
    // another digit, an invalid digit, and a letter of the name
    for (at, to) in [(0, b'x'), (63, b'z'), (70, b'X')] {
        fs::copy(world.folder.join("SHA256SUMS"), copy.join("SHA256SUMS.new")).unwrap();
        fs::rename(copy.join("SHA256SUMS.new"), copy.join("SHA256SUMS")).unwrap();
        let digit = fs::read(copy.join("SHA256SUMS")).unwrap()[0];
        let to = if at == 0 { if digit == b'0' { b'1' } else { b'0' } } else { to };
        flip(&copy.join("SHA256SUMS"), at, to);
        let out = world.out();
        let mut command = world.reproduce(&[copy.to_str().unwrap(), "--output"]);
        let ran = run(command.arg(&out)).exits(1).says("the release contradicts itself");
        assert!(ran.stdout.starts_with("mismatch: "), "{}", ran.stdout);
        assert!(ran.stdout.contains("security@silverlabs.uk"), "{}", ran.stdout);
        assert_eq!(world.statement()["result"], "mismatch");
        for kept in ["published/SHA256SUMS", "published/BUILD_INFO", "build/silvermetal-base.iso"] {
            assert!(out.join(kept).exists(), "{kept}");
        }
    }
}

#[test]
fn a_mismatch_names_the_first_stage_that_differs() {
    let world = World::new();
    // the engine of the clone builds another image from the same commit
    let mut command = world.of_tag();
    let ran = run(command.env("EXTRA", "echo backdoor >>\"$out/silvermetal-base.iso\"")).exits(1);
    assert!(ran.stdout.contains("first stage that differs: iso"), "{}", ran.stdout);
    assert!(ran.stdout.contains("next: curl -LO http://"), "{}", ran.stdout);
    assert_eq!(world.statement()["contradictions"], serde_json::json!([]));
    let json =
        run(world.of_tag().arg("--json").env("EXTRA", "echo x >>\"$out/silvermetal-base.iso\""));
    let json: Value = serde_json::from_str(&json.exits(1).stdout).unwrap();
    assert_ne!(json["rebuilt_sha256"], json["published_sha256"]);
}

#[test]
fn a_failed_build_is_no_mismatch() {
    let world = World::new();
    let ran = run(world.of_tag().env("EXTRA", "exit 42")).exits(4);
    assert!(ran.stdout.starts_with("could not build: "), "{}", ran.stdout);
    assert!(!ran.stdout.contains("security@silverlabs.uk"), "{}", ran.stdout);
    let statement = world.statement();
    assert_eq!(
        (&statement["result"], &statement["rebuilt_sha256"]),
        (&"could-not-build".into(), &Value::Null)
    );
}

#[test]
fn a_checkout_of_another_commit_gets_commands_that_work() {
    let world = World::new();
    let commit = git(&world.clone.root, &["rev-parse", "HEAD"]).trim().to_owned();
    git(&world.clone.root, &["commit", "--quiet", "--allow-empty", "-m", "later"]);
    fs::write(world.clone.root.join("new.md"), "x").unwrap();
    let ran = run(&mut world.of_tag()).exits(3).says("not ready: 2 problems");
    let fix = |ran: &Ran, what: &str| {
        let fixes = ran.stderr.lines().filter_map(|line| line.trim().strip_prefix("fix: "));
        fixes
            .map(str::to_owned)
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{}", ran.stderr))
    };
    assert_eq!(fix(&ran, "checkout"), format!("git checkout --detach {commit}"));
    // run the suggested commands as they are printed
    for line in [fix(&ran, "stash"), fix(&ran, "checkout")] {
        let mut sh = Command::new("sh");
        let identity = [
            ("GIT_AUTHOR_NAME", "t"),
            ("GIT_AUTHOR_EMAIL", "t@example.org"),
            ("GIT_COMMITTER_NAME", "t"),
            ("GIT_COMMITTER_EMAIL", "t@example.org"),
        ];
        run(sh.args(["-ec", &line]).envs(identity).current_dir(&world.clone.root)).exits(0);
    }
    run(&mut world.of_tag()).exits(0);

    // a clone without the commit must fetch first
    let old = world.factory.checkout.clone_under("022", "old");
    git(&old.root, &["checkout", "--quiet", "--orphan", "other"]);
    git(&old.root, &["commit", "--quiet", "-m", "other"]);
    git(&old.root, &["tag", "--delete", TAG]);
    git(&old.root, &["branch", "-D", "main"]);
    git(&old.root, &["update-ref", "-d", "refs/remotes/origin/main"]);
    git(&old.root, &["update-ref", "-d", "refs/remotes/origin/HEAD"]);
    git(&old.root, &["reflog", "expire", "--expire=now", "--all"]);
    git(&old.root, &["gc", "--quiet", "--prune=now"]);
    let words = ["reproduce", "--engine", "docker", TAG, "--repository", &world.gitea.url];
    let ran = run(&mut world.factory.xtask_in(&old, &words)).exits(3);
    let line = fix(&ran, "checkout");
    assert_eq!(line, format!("git fetch --tags origin && git checkout --detach {commit}"));
    run(Command::new("sh").args(["-ec", &line]).current_dir(&old.root)).exits(0);
    run(&mut world.factory.xtask_in(&old, &words)).exits(0);
}

#[test]
fn each_input_that_differs_is_reported() {
    let world = World::new();
    let copy = world.copy();
    let path = copy.join("BUILD_INFO");
    let text = fs::read_to_string(&path).unwrap();
    let other = format!("registry.example:5000/silvermetal-builder@sha256:{}", "b".repeat(64));
    let edited = text
        .replace("Snapshot: 2026", "Snapshot: 2025")
        .replace("Mksquashfs-Options: ", "Mksquashfs-Options: -x ");
    World::publish_as(&copy, "BUILD_INFO", edited.as_bytes());
    run(&mut world.reproduce(&[copy.to_str().unwrap(), "--image", &other]))
        .exits(3)
        .says("Snapshot: the release was built with `2025")
        .says("Mksquashfs-Options: the release was built with `-x ")
        .says("builder image: the release was built in")
        .says("not ready: 3 problems");
    // the same digest in another registry is the same image
    let same = format!("mirror.example/silvermetal-builder@sha256:{}", "a".repeat(64));
    run(world.of_tag().args(["--image", &same])).exits(0);
}

/// The image would run with all privileges.
#[test]
fn a_builder_image_that_only_the_release_names_is_not_run() {
    let world = World::new();
    let copy = world.copy();
    let path = copy.join("BUILD_INFO");
    let evil = format!("evil.example/silvermetal-builder@sha256:{}", "e".repeat(64));
    let text = fs::read_to_string(&path).unwrap().replace(&world.factory.image, &evil);
    assert!(text.contains(&evil), "{text}");
    World::publish_as(&copy, "BUILD_INFO", text.as_bytes());
    let named = copy.to_str().unwrap();
    let ran = run(&mut world.reproduce(&[named])).exits(3);
    ran.says("builder image: the release was built in evil.example")
        .says("if you know the other image");
    let plan = run(&mut world.reproduce(&[named, "--dry-run", "-v"])).exits(3).stdout;
    assert!(plan.contains(&world.factory.image) && !plan.contains("evil.example"), "{plan}");
    // the user may name it
    run(&mut world.reproduce(&[named, "--image", &evil])).exits(0);
}

#[test]
fn an_invalid_release_is_reported_before_the_build() {
    let world = World::new();
    let at = |named: &str| run(&mut world.reproduce(&[named, "--repository", &world.gitea.url]));
    at("v9.9.9").exits(3).says("has no SHA256SUMS");
    at("not a tag").exits(2).says("expected a folder, a URL, or a tag");
    at("ftp://h/x").exits(2).says("is not an address");
    at(world.clone.root.to_str().unwrap()).exits(2).says("has no SHA256SUMS");
    run(&mut world.reproduce(&[])).exits(2).says("TAG|URL|DIR");
    let copy = world.copy();
    for bad in [
        "",
        "Format: silvermetal-build-info/9\n",
        "Format: silvermetal-build-info/1\nIso: ../x\n",
        "\u{0}",
    ] {
        fs::remove_file(copy.join("BUILD_INFO")).unwrap();
        fs::write(copy.join("BUILD_INFO"), bad).unwrap();
        run(&mut world.reproduce(&[copy.to_str().unwrap()])).exits(3).says("BUILD_INFO");
    }
    world.gitea.fails(DOWNLOAD, 99, How::Status(500));
    run(&mut world.of_tag()).exits(3).says("500 Internal Server Error");
    world.gitea.heals();
    world.gitea.fails(DOWNLOAD, 1, How::CutAfter(10));
    run(&mut world.of_tag()).exits(0);
}

#[test]
fn changed_packages_of_an_unpinned_mirror_are_no_mismatch() {
    let world = World::new();
    let copy = world.copy();
    let path = copy.join("BUILD_INFO");
    let text = fs::read_to_string(&path).unwrap();
    let moved = text
        .replace("Apt-Pinned: yes", "Apt-Pinned: no")
        .replace("InRelease:\n 000", "InRelease:\n 111");
    World::publish_as(&copy, "BUILD_INFO", moved.as_bytes());
    let ran = run(world
        .reproduce(&[copy.to_str().unwrap()])
        .env("EXTRA", "echo newer >>\"$out/silvermetal-base.iso\""));
    assert!(ran.exits(4).stdout.contains("its mirror has other packages now"));
}
