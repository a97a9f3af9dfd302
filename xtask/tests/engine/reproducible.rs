//! Two clones of one commit give the same bytes, under conditions as different as on two machines.

use crate::machine::{Machine, Watch, state};
use crate::support::{Checkout, Ran, executable, git, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files that must not differ between two builds.
const REPRODUCIBLE: [&str; 5] =
    ["silvermetal-canary.iso", "BUILD_INFO", "ledger", "SHA256SUMS", "packages.txt"];

/// Output folder of the canary that was built on `engine`.
fn result(checkout: &Checkout, engine: &str) -> PathBuf {
    let host = if engine == "host" { "-host" } else { "" };
    let short = git(&checkout.root, &["rev-parse", "--short=7", "HEAD"]);
    let name = format!("canary-{}{host}", short.trim());
    assert_eq!(checkout.output_names(), [name.as_str()]);
    checkout.output().join(name)
}

/// Starts `inner`, with its environment and folder, through `outer`.
fn wrapped(outer: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(outer[0]);
    command.args(&outer[1..]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Runs `iso` as on another machine: other host name, umask, locale, time zone and home, and an
/// environment with junk and `secrets`.
fn somewhere_else(iso: &Command, home: &Path, secrets: &[String]) -> Command {
    let enter = "umask 077; echo intruder.example >/proc/sys/kernel/hostname; exec \"$@\"";
    let mut command = wrapped(&["unshare", "--uts", "sh", "-c", enter, "sh"], iso);
    fs::create_dir_all(home.join(".docker")).unwrap();
    fs::write(
        home.join(".gitconfig"),
        "[core]\n\tabbrev = 12\n\tautocrlf = true\n[status]\n\tshort = true\n",
    )
    .unwrap();
    fs::write(home.join(".mtoolsrc"), "drive a: file=\"/nowhere\"\n").unwrap();
    fs::write(home.join(".docker/config.json"), "{\"psFormat\": \"{{.ID}}\"}\n").unwrap();
    executable(&home.join("rc"), "echo rubbish; echo rubbish >&2\n");
    let rc = home.join("rc");
    let rubbish = [
        ("LANG", "tr_TR.UTF-8"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("LANGUAGE", "tr"),
        ("TZ", "Asia/Kathmandu"),
        ("SOURCE_DATE_EPOCH", "1"),
        ("GREP_OPTIONS", "--color=always"),
        ("GREP_COLORS", "mt=01;31"),
        ("TAR_OPTIONS", "--mtime=@1"),
        ("XZ_DEFAULTS", "-9"),
        ("ZSTD_CLEVEL", "19"),
        ("POSIXLY_CORRECT", "1"),
        ("CDPATH", "/"),
        ("TMPDIR", home.to_str().unwrap()),
        ("MKSQUASHFS_OPTIONS", "-comp gzip"),
        ("SILVERMETAL_ISO", "rubbish.iso"),
        ("SILVERMETAL_JOBS", "99"),
        ("BASH_ENV", rc.to_str().unwrap()),
        ("ENV", rc.to_str().unwrap()),
        ("GIT_DIR", "/nowhere"),
        ("DOCKER_HOST", "tcp://127.0.0.1:9"),
        ("DOCKER_CONTEXT", "rubbish"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_API_VERSION", "1.12"),
        ("DOCKER_DEFAULT_PLATFORM", "linux/arm64"),
        ("HOME", home.to_str().unwrap()),
    ];
    command.envs(rubbish);
    command.envs(["TOKEN", "AWS_SECRET_ACCESS_KEY", "SILVERMETAL_TOKEN"].iter().zip(secrets));
    command
}

/// Checks that the records beside an ISO are complete and correct.
fn records_hold(ran: &Ran, folder: &Path, engine: &str, host: &str) {
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let hash = sums.strip_suffix("  silvermetal-canary.iso\n").unwrap();
    assert_eq!(
        ran.stdout,
        format!("{hash}  {}\n", folder.join("silvermetal-canary.iso").display())
    );
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(folder))
        .exits(0);

    let info = fs::read_to_string(folder.join("BUILD_INFO")).unwrap();
    let field =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    assert_eq!(field("Engine"), Some(engine));
    assert_eq!(field("Tree"), Some("clean"));
    assert_eq!(field("Iso-Sha256"), Some(hash));
    assert_eq!(field("Builder-Image").is_some(), engine != "host");
    let packages = fs::read_to_string(folder.join("packages.txt")).unwrap();
    assert_eq!(field("Packages"), Some(packages.lines().count().to_string().as_str()));
    for name in ["\nInRelease:\n ", "\nTools:\n "] {
        assert!(info.contains(name), "{name} is not in\n{info}");
    }

    let json: Value =
        serde_json::from_slice(&fs::read(folder.join("build.json")).unwrap()).unwrap();
    assert_eq!(json["iso_sha256"], hash);
    assert_eq!(json["host"], host);
    let stages: Vec<&str> =
        json["stages"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(stages, ["inputs", "rootfs", "boot", "squashfs", "iso"]);

    let ledger = fs::read_to_string(folder.join("ledger")).unwrap();
    assert!(ledger.contains(&format!("iso {hash} ")), "{ledger}");
    assert!(fs::read_to_string(folder.join("logs/build.log")).unwrap().contains("@@stage rootfs"));
}

/// Lists files in `folders` that contain one of `words`, including ISOs.
fn files_with(words: &[String], folders: &[&Path]) -> String {
    let mut grep = Command::new("grep");
    grep.args(["-rlaF", "--exclude-dir=data"]);
    for word in words {
        grep.arg("-e").arg(word);
    }
    run(grep.args(folders).env("LC_ALL", "C")).stdout
}

/// Builds the canary in a checkout and in a clone with other conditions, each with its own `flags`.
pub fn two_clones(machine: &Machine, engine: &str, flags: [&[&str]; 2]) -> [Checkout; 2] {
    let here = Checkout::new("çanary, ünder test");
    let there = here.clone_under("077", "elsewhere/a b,c");
    let iso = |flags| [&["iso", "canary", "-v", "--engine", engine][..], flags].concat();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();

    let first = run(&mut here.xtask(iso(flags[0]))).exits(0);
    records_hold(&first, &result(&here, engine), engine, host.trim());

    let secrets =
        ["token", "key", "more"].map(|name| format!("hunter2-{name}-{}", std::process::id()));
    let home = there.root.with_file_name("home");
    let mut command = somewhere_else(&there.xtask(iso(flags[1])), &home, &secrets);
    let watch = Watch::for_words(&secrets);
    let second = run(&mut command);
    let seen = watch.stop();
    let second = second.exits(0);
    records_hold(&second, &result(&there, engine), engine, "intruder.example");

    for name in REPRODUCIBLE {
        let [a, b] = [&here, &there].map(|checkout| result(checkout, engine).join(name));
        let same = run(Command::new("cmp").args([&a, &b])).code == 0;
        let ledgers =
            [&here, &there].map(|c| fs::read_to_string(result(c, engine).join("ledger")).unwrap());
        assert!(same, "{name} differs; the ledgers:\n{}\n{}", ledgers[0], ledgers[1]);
    }
    assert!(!seen.inside.is_empty(), "the watch found no process of the build");
    assert!(seen.words.is_empty(), "{:#?}", seen.words);
    assert_eq!(files_with(&secrets, &[&result(&there, engine), &state()]), "");
    let said = format!("{}{}", second.stdout, second.stderr);
    assert!(!secrets.iter().any(|secret| said.contains(secret)), "{said}");
    machine.has_no_traces();
    [here, there]
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn two_clones_give_the_same_bytes_on_engine_host() {
    two_clones(&Machine::get(), "host", [&[], &[]]);
}
