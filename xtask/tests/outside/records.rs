//! Records that others made: pipes, devices, decoys and paths.

use crate::support::peer::Peer;
use crate::support::{Checkout, STUB, run, snapshot_peer};
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixListener;
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

/// A record of another kind, of another size, in another encoding: each is refused by name, and none is
/// believed, waited for or kept in memory.
#[test]
fn odd_records_are_refused_by_every_command_that_reads_them() {
    let checkout = Checkout::new("odd");
    let long = "9".repeat(40);
    let (path, mirror) = (checkout.path_with("docker", STUB), snapshot_peer());
    let odd: [(&str, &str, Spoil); 24] = [
        ("BUILD_INFO", "expected a regular file", |dir| {
            fs::remove_file(dir.join("BUILD_INFO")).unwrap();
            fs::create_dir(dir.join("BUILD_INFO")).unwrap();
        }),
        ("BUILD_INFO", "cannot read", |dir| {
            fs::remove_file(dir.join("BUILD_INFO")).unwrap();
            UnixListener::bind(dir.join("BUILD_INFO")).unwrap();
        }),
        ("BUILD_INFO", "larger than", |dir| grow(dir, "BUILD_INFO")),
        ("SHA256SUMS", "larger than", |dir| grow(dir, "SHA256SUMS")),
        ("BUILD_INFO", "expected UTF-8", |dir| append(dir, "BUILD_INFO", b"X: \xff\n")),
        ("BUILD_INFO", "Iso: expected a file name", |dir| {
            edit(dir, "BUILD_INFO", "x.iso", "x.iso\0")
        }),
        ("BUILD_INFO", "Iso: expected a file name", |dir| edit(dir, "BUILD_INFO", "x.iso", ".")),
        ("BUILD_INFO", "Iso: expected a file name", |dir| edit(dir, "BUILD_INFO", "x.iso", "-rf")),
        ("BUILD_INFO", "Iso: expected a file name", |dir| {
            edit(dir, "BUILD_INFO", "x.iso", "a\\x.iso")
        }),
        ("BUILD_INFO", "Iso: expected a file name", |dir| {
            edit(dir, "BUILD_INFO", "x.iso", "x.iso\n /y")
        }),
        ("BUILD_INFO", "Iso: expected a file name", |dir| {
            edit(dir, "BUILD_INFO", "x.iso", "\u{202e}osi.x")
        }),
        ("BUILD_INFO", "Iso: expected a file name", |dir| {
            edit(dir, "BUILD_INFO", "x.iso", &"x".repeat(300));
        }),
        ("BUILD_INFO", "a second field", |dir| append(dir, "BUILD_INFO", b"\niSO-sha256: x\n")),
        ("BUILD_INFO", "a second field", |dir| append(dir, "BUILD_INFO", b"Commit : x\n")),
        ("BUILD_INFO", "Format", |dir| edit(dir, "BUILD_INFO", "Format", "\u{feff}Format")),
        ("BUILD_INFO", "not a full commit id", |dir| {
            edit(dir, "BUILD_INFO", "Commit: 0", "Commit: O")
        }),
        ("SHA256SUMS", "expected one hash", |dir| {
            append(dir, "SHA256SUMS", format!("\\{}  x.iso\n", "b".repeat(64)).as_bytes());
        }),
        ("SHA256SUMS", "expected one hash", |dir| {
            append(dir, "SHA256SUMS", format!("{} *a/../x.iso\r\n", "b".repeat(64)).as_bytes());
        }),
        ("SHA256SUMS", "expected one hash", |dir| {
            append(dir, "SHA256SUMS", format!("{}  x.iso\0.sig\n", "b".repeat(64)).as_bytes());
        }),
        ("SHA256SUMS", "expected a line", |dir| edit(dir, "SHA256SUMS", "  x.iso", "  X.iso")),
        ("SHA256SUMS", "expected a line", |dir| {
            let text = fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
            let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            fs::write(dir.join("SHA256SUMS"), utf16).unwrap();
        }),
        ("SHA256SUMS", "expected a line", |dir| {
            let text = fs::read(dir.join("SHA256SUMS")).unwrap();
            fs::write(dir.join("SHA256SUMS"), [b"\xef\xbb\xbf", text.as_slice()].concat()).unwrap();
        }),
        ("x.iso", "expected a regular file", |dir| link(dir, "x.iso", "/dev/zero")),
        ("x.iso", "cannot read", |dir| link(dir, "x.iso", "x.iso")),
    ];
    for (n, (record, expected, spoil)) in odd.into_iter().enumerate() {
        let dir = checkout.root.with_file_name(format!("{n}"));
        output_folder(&dir);
        spoil(&dir);
        let mut command = checkout.xtask(["reproduce", "--dry-run", "--engine", "docker"]);
        let ran = run(command.arg(&dir).env("PATH", &path).env("APT_SNAPSHOT_URL", &mirror));
        assert!([1, 2, 3].contains(&ran.code), "{n} {record}: {ran:?}");
        let said = ran.stdout.clone() + &ran.stderr;
        assert!(said.contains(expected), "{n} {record}: expected `{expected}`: {said}");
    }
    let dir = checkout.root.with_file_name("folded");
    output_folder(&dir);
    edit(&dir, "BUILD_INFO", "Iso: x.iso", "Iso:\n ../x.iso");
    run(checkout.xtask(["reproduce", "--dry-run"]).arg(&dir)).says("Iso: expected a file name");

    // a ledger: numbers, paths, ends of lines, a million lines
    let line = |size: &str, path: &str| format!("iso {} {size} {path}\n", "a".repeat(64));
    for bad in [
        line(&long, "y"),
        line("-1", "y"),
        line("1", ""),
        line("1", "/y"),
        line("1", "a/../y"),
        line("1", ".hidden"),
        line("1", "\u{202e}y"),
        line("1", "y\u{1b}[2J"),
        line("1", "y").replace(' ', "\t"),
        line("1", "y").to_uppercase(),
        format!("{}{}", line("1", "y"), line("2", "y")),
    ] {
        let [a, b] = ["la", "lb"].map(|name| checkout.root.with_file_name(name));
        output_folder(&a);
        output_folder(&b);
        append(&b, "ledger", bad.as_bytes());
        let ran = run(checkout.xtask(["verify", "--compare"]).args([&a, &b]));
        assert!([2, 4].contains(&ran.code) && ran.stderr.contains("ledger"), "{bad:?}: {ran:?}");
    }
    let [a, b] = ["ma", "mb"].map(|name| checkout.root.with_file_name(name));
    for dir in [&a, &b] {
        output_folder(dir);
        let many: String = (0..200_000).map(|n| line("1", &format!("f{n}"))).collect();
        append(dir, "ledger", many.as_bytes());
        append(dir, "SHA256SUMS", "#\n".repeat(1_000_000).as_bytes());
    }
    run(checkout.xtask(["verify", "--compare"]).args([&a, &b])).exits(0);
}

/// Files that are no records: a pipe, a device and what never ends are refused where a command reads them.
#[test]
fn no_command_waits_for_a_file_that_never_ends() {
    let checkout = Checkout::new("endless");
    let at = |name: &str| checkout.root.with_file_name(name);
    let [folder, release] = [at("output"), release_folder(&checkout)];
    output_folder(&folder);
    let make_pipe =
        |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    make_pipe(&at("pipe.iso"));
    std::os::unix::fs::symlink("/dev/zero", at("zero.iso")).unwrap();
    let config = at("config");
    fs::create_dir_all(&config).unwrap();
    std::os::unix::fs::symlink("/dev/zero", config.join("config.json")).unwrap();
    let statements = at("statements");
    fs::create_dir_all(&statements).unwrap();
    make_pipe(&statements.join("pipe.json"));
    fs::write(statements.join("deep.json"), "[".repeat(100_000)).unwrap();
    for name in ["build.json", "packages.txt"] {
        drop(fs::remove_file(folder.join(name)));
    }
    make_pipe(&folder.join("build.json"));
    fs::write(folder.join("packages.txt"), "x 1 all\n").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let login = "WWW-Authenticate: Basic realm=\"x\"\r\n";
    let registry = Peer::new(|_, _| (401, login.to_owned(), String::new()));
    let image = format!("{}/x:y", registry.host);
    let (pipe, zero) = (path(&at("pipe.iso")), path(&at("zero.iso")));
    let (good, output) = (path(&folder.join("x.iso")), path(&folder));
    let (release, statements) = (path(&release), path(&statements));
    for (expected, arguments) in [
        ("expected a file", vec!["boot", &pipe]),
        ("expected a file", vec!["boot", &zero, "--dry-run"]),
        ("not a regular file", vec!["inspect", &pipe]),
        ("not a regular file", vec!["inspect", &zero]),
        ("not a regular file", vec!["diagnose", &pipe, &good]),
        ("not a regular file", vec!["diagnose", &good, &zero]),
        ("expected a regular file", vec!["reproduce", &output, "--iso", &pipe]),
        ("", vec!["verify", "--compare", &output, &output]),
        ("", vec!["inspect", &good]),
        ("expected a regular file", vec!["reproduce", "--collect", &statements]),
        ("expected a regular file", vec!["bump-image", &image]),
        (
            "expected a token",
            vec![
                "release",
                "publish",
                "--repository",
                "http://127.0.0.1:1/o/r",
                "--token-file",
                "/dev/zero",
                &release,
            ],
        ),
    ] {
        let mut command = checkout.xtask(&arguments);
        let ran = run(command
            .env("DOCKER_CONFIG", &config)
            .env("PATH", checkout.path_with("docker", STUB)));
        let said = ran.stdout.clone() + &ran.stderr;
        assert!(said.contains(expected) && ran.code != 101, "{arguments:?}: {said}");
    }
    // files of the checkout: a pull request may make one a link
    for name in [
        "linux/build/config/snapshot-pin.env",
        "linux/build/scripts/build.sh",
        "linux/build/recipes/canary/recipe.toml",
        "linux/build/docker/builder-image.toml",
    ] {
        let checkout = Checkout::new("linked");
        fs::remove_file(checkout.root.join(name)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", checkout.root.join(name)).unwrap();
        let mut dry = checkout.xtask(["iso", "canary", "--engine", "docker", "--dry-run"]);
        let ran = run(dry.env("PATH", checkout.path_with("docker", STUB)));
        assert!(ran.code != 101 && ran.code >= 0, "{name}: {ran:?}");
        run(&mut checkout.xtask(["check"])).exits(1);
    }
}

fn grow(dir: &Path, name: &str) {
    let file = fs::OpenOptions::new().write(true).open(dir.join(name)).unwrap();
    file.set_len(xtask_core::record_file::LONGEST + 1).unwrap();
}

fn append(dir: &Path, name: &str, bytes: &[u8]) {
    let old = fs::read(dir.join(name)).unwrap();
    fs::write(dir.join(name), [old.as_slice(), bytes].concat()).unwrap();
}
