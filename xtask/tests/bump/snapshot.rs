//! `bump-snapshot`, against a small signed archive with several snapshots.

use crate::signer::Signer;
use crate::support::{Checkout, Ran, git, run};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use xtask_core::hash;

const OLD: &str = "20260508T000000Z";
const NEW: &str = "20260601T060000Z";
const TORN: &str = "20260602T060000Z";
const SUITES: [(&str, &str); 3] =
    [("debian", "trixie"), ("debian", "trixie-updates"), ("debian-security", "trixie-security")];

/// A snapshot archive, served on loopback.
struct Archive {
    root: PathBuf,
    url: String,
    signer: Signer,
    keyring: PathBuf,
}

impl Archive {
    fn new(checkout: &Checkout) -> Archive {
        let root = checkout.root.with_file_name("archive");
        fs::create_dir_all(&root).unwrap();
        let signer = Signer::new();
        let keyring = signer.keyring();
        Archive { url: serve(&root), root, signer, keyring }
    }

    fn dists(&self, stamp: &str, (archive, suite): (&str, &str)) -> PathBuf {
        self.root.join(archive).join(stamp).join("dists").join(suite)
    }

    /// Adds the snapshot `stamp` with every package of the builder's list. `version` gives the version of
    /// a package in a suite.
    fn add(
        &self,
        checkout: &Checkout,
        stamp: &str,
        version: impl Fn(&str, &str) -> Option<String>,
    ) {
        let list =
            fs::read_to_string(checkout.root.join("linux/build/docker/packages.list")).unwrap();
        let names =
            list.lines().filter_map(|line| line.split('#').next()?.split_whitespace().next());
        let names: Vec<&str> = names.collect();
        for suite in SUITES {
            let dists = self.dists(stamp, suite);
            let folder = dists.join("main/binary-amd64");
            fs::create_dir_all(&folder).unwrap();
            let stanza = |name: &&str| {
                Some(format!("Package: {name}\nVersion: {}\n\n", version(suite.1, name)?))
            };
            let packages: String = names.iter().filter_map(stanza).collect();
            fs::write(folder.join("Packages"), packages).unwrap();
            run(Command::new("xz").arg("--force").arg(folder.join("Packages"))).exits(0);
            let packed = fs::read(folder.join("Packages.xz")).unwrap();
            let release = format!(
                "Suite: {}\nSHA256:\n {} {} main/binary-amd64/Packages.xz\n",
                suite.1,
                hash::bytes(&packed).hex(),
                packed.len()
            );
            fs::write(dists.join("Release"), release).unwrap();
            self.signer.clearsign(&dists.join("Release"), &dists.join("InRelease"));
        }
    }

    fn bump(&self, checkout: &Checkout, more: &[&str]) -> Ran {
        let mut bump = checkout.xtask(
            [&["bump-snapshot", "--keyring"][..], &[self.keyring.to_str().unwrap()], more].concat(),
        );
        run(bump.env("APT_SNAPSHOT_URL", &self.url))
    }
}

/// Serves files, and lists of names for folders, until the test process ends.
fn serve(root: &Path) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let root = root.to_owned();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            lines.read_line(&mut first).unwrap();
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let path = root.join(first.split(' ').nth(1).unwrap().trim_start_matches('/'));
            let body = if path.is_dir() {
                let names = fs::read_dir(&path)
                    .unwrap()
                    .map(|e| e.unwrap().file_name().into_string().unwrap());
                Ok(names
                    .map(|name| format!("<a href=\"{name}/\">{name}/</a>\n"))
                    .collect::<String>()
                    .into_bytes())
            } else {
                fs::read(&path)
            };
            let (status, body) =
                body.map_or_else(|_| ("404 Not Found", Vec::new()), |body| ("200 OK", body));
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // a client that closes the connection is no error
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        }
    });
    url
}

fn pinned(checkout: &Checkout) -> String {
    let env =
        fs::read_to_string(checkout.root.join("linux/build/config/snapshot-pin.env")).unwrap();
    env.lines().find_map(|line| line.strip_prefix("SNAPSHOT_STAMP=")).unwrap().to_owned()
}

/// Makes a checkout that pins [`OLD`], and an archive that has this snapshot.
fn start() -> (Checkout, Archive) {
    let checkout = Checkout::new("snapshot");
    let now = pinned(&checkout);
    checkout.edit("linux/build/config/snapshot-pin.env", &now, OLD);
    fs::write(checkout.root.join("docs/a-page.md"), format!("built from {OLD}.\n")).unwrap();
    checkout.commit();
    let archive = Archive::new(&checkout);
    archive.add(&checkout, OLD, |suite, _| (suite == "trixie").then(|| "1.0".to_owned()));
    (checkout, archive)
}

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn the_newest_complete_snapshot_is_pinned_in_all_files() {
    let (checkout, archive) = start();
    archive.add(&checkout, NEW, |suite, name| match (suite, name) {
        ("trixie", "xorriso") => Some("1.10".to_owned()),
        ("trixie", "squashfs-tools") => Some("1.0".to_owned()),
        ("trixie-security", "squashfs-tools") => Some("1.0+deb13u1".to_owned()),
        ("trixie", _) => Some("1.0".to_owned()),
        _ => None,
    });
    let changes = || git(&checkout.root, &["status", "--porcelain"]);
    let dry = archive.bump(&checkout, &[NEW, "--dry-run"]).exits(0);
    for line in [
        "squashfs-tools                   1.0 -> 1.0+deb13u1",
        "xorriso                          1.0 -> 1.10",
        "2 of the ",
        "       + SNAPSHOT_STAMP=20260601T060000Z",
    ] {
        assert!(dry.stdout.contains(line), "{line} is not in\n{}", dry.stdout);
    }
    // `run` compares the keys with the page
    let json = archive.bump(&checkout, &[NEW, "--dry-run", "--json"]).exits(0).stdout;
    assert!(json.contains("\"format\": \"silvermetal-bump-snapshot/1\""), "{json}");
    assert_eq!(changes(), "");

    // a newer snapshot that is incomplete is skipped
    archive.add(&checkout, TORN, |_, _| Some("2".to_owned()));
    let torn = archive.dists(TORN, SUITES[2]).join("main/binary-amd64/Packages.xz");
    fs::write(torn, "half").unwrap();
    archive
        .bump(&checkout, &["latest"])
        .exits(0)
        .says("snapshot 20260602T060000Z is skipped")
        .says("cargo xtask image push && cargo xtask bump-image")
        .says("docs/a-page.md")
        .says("linux/build/config/snapshot-pin.env");
    assert_eq!(pinned(&checkout), NEW);
    let old = ["grep", "-l", OLD, "--", ".", ":!xtask", ":!linux/build/docker/builder-image.toml"];
    assert_eq!(run(Command::new("git").args(old).current_dir(&checkout.root)).stdout, "");
    assert!(!changes().contains("xtask"), "{}", changes());
    let before = git(&checkout.root, &["diff"]);
    archive.bump(&checkout, &["latest"]).exits(0).says("already pinned");
    assert_eq!(git(&checkout.root, &["diff"]), before);
}

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn without_the_pinned_snapshot_no_number_of_changes_is_claimed() {
    let (checkout, archive) = start();
    archive.add(&checkout, NEW, |suite, _| (suite == "trixie").then(|| "1.1".to_owned()));
    fs::remove_dir_all(archive.dists(OLD, SUITES[0])).unwrap();
    let ran = archive.bump(&checkout, &[NEW, "--dry-run"]).exits(0);
    let ran = ran.says("no comparison with the pinned snapshot");
    assert!(ran.stdout.contains("packages on the builder's list\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("change"), "{}", ran.stdout);
    let json = archive.bump(&checkout, &[NEW, "--dry-run", "--json"]).exits(0).stdout;
    assert!(json.contains("\"compared\": false"), "{json}");
}

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn a_second_signature_by_an_unknown_key_does_no_harm() {
    let (checkout, archive) = start();
    archive.add(&checkout, NEW, |suite, _| (suite == "trixie").then(|| "1.0".to_owned()));
    let dists = archive.dists(NEW, SUITES[0]);
    archive.signer.clearsign_twice(&dists.join("Release"), &dists.join("InRelease"));
    archive.bump(&checkout, &[NEW, "--dry-run"]).exits(0);
}

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn an_incomplete_or_wrongly_signed_snapshot_is_refused() {
    let (checkout, archive) = start();
    let version = |suite: &str, _: &str| (suite == "trixie").then(|| "1.0".to_owned());
    let refused = |says: &str| {
        archive.bump(&checkout, &[NEW]).exits(3).says(says);
        assert_eq!(git(&checkout.root, &["status", "--porcelain"]), "");
    };
    refused("/debian/20260601T060000Z/dists/trixie");
    archive.add(&checkout, NEW, version);
    fs::remove_dir_all(archive.dists(NEW, SUITES[2])).unwrap();
    refused("/debian-security/20260601T060000Z/dists/trixie-security");

    archive.add(&checkout, NEW, version);
    let release = archive.dists(NEW, SUITES[1]).join("InRelease");
    let good = fs::read_to_string(&release).unwrap();
    fs::write(&release, good.replace("Suite: trixie-updates", "Suite: trixie-rumours")).unwrap();
    refused("the signature is not valid");
    let stranger = Signer::new();
    stranger.clearsign(&archive.dists(NEW, SUITES[1]).join("Release"), &release);
    refused("apt-get install debian-archive-keyring");
    fs::write(&release, good).unwrap();

    fs::write(archive.dists(NEW, SUITES[0]).join("main/binary-amd64/Packages.xz"), "x").unwrap();
    refused("the snapshot is incomplete");
    archive.add(&checkout, NEW, |suite, name| version(suite, name).filter(|_| name != "xorriso"));
    refused("lacks packages of the builder's list: xorriso");

    archive.bump(&checkout, &["29990101T000000Z"]).exits(2).says("is in the future");
    archive.bump(&checkout, &["2026-06-01"]).exits(2).says("is not a snapshot stamp");
}
