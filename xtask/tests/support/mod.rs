//! A checkout for each test, and xtask as a user runs it there.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start xtask and its peers"
)]
#![allow(dead_code, unreachable_pub, reason = "each test crate uses its part of it")]

pub mod disk;
pub mod http;
pub mod json;
pub mod peer;
pub mod running;
pub mod terminal;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};
use xtask_core::facts::builder_inputs::Inputs;
use xtask_core::facts::repo::Repo;

/// Seconds since 1970: the commit time of every test checkout.
pub const COMMIT_TIME: u64 = 1_780_000_000;

/// A stub of docker. It has every image, and `run` evaluates `$RUN`.
pub const STUB: &str = r#"#!/bin/bash
case "$1 $2" in
    "version --format") echo 28.0.0 ;;
    "info --format") echo 2 ;;
    "image inspect") echo sha256:stub ;;
    "save --output")
        made=$(mktemp -d)
        tar cf "$made/layer" -T /dev/null
        layer=$(sha256sum <"$made/layer" | cut -d' ' -f1)
        printf '{"architecture":"amd64","os":"linux","created":"2026-05-08T00:00:00Z","config":{},"rootfs":{"diff_ids":["sha256:%s"]}}' \
            "$layer" >"$made/config"
        echo '[{"Config":"config","Layers":["layer"]}]' >"$made/manifest.json"
        tar cf "$3" -C "$made" manifest.json config layer
        rm -r "$made" ;;
    "ps --all") ;;
    inspect*) exit 1 ;; # it knows no container
    "run --rm")
        out=$(printf '%s\n' "$@" | sed -n 's#^type=bind,"*source=\(.*\)"*,target=/home/user/out$#\1#p')
        eval "$RUN" ;;
    *) ;;
esac
"#;

static DIAGNOSE: Once = Once::new();
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A git checkout with the files of this one, committed; removed when dropped.
pub struct Checkout {
    outer: PathBuf,
    pub root: PathBuf,
}

/// Exit code and both streams.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Builds the program that xtask finds beside it: cargo builds only the tested package by itself.
fn build_diagnose() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("diagnose/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--manifest-path"]).arg(manifest);
    run(cargo.env_remove("CARGO_MANIFEST_DIR")).exits(0);
}

impl Checkout {
    /// Makes a checkout in a folder `name`. Use blanks and commas in it to test paths.
    pub fn new(name: &str) -> Checkout {
        let n = COUNT.fetch_add(1, Ordering::SeqCst);
        let outer =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{n}", std::process::id()));
        let root = outer.join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let listed =
            git(&source, &["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
        for name in listed.split('\0').filter(|n| !n.is_empty()) {
            let (from, to) = (source.join(name), root.join(name));
            if from.is_file() {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(from, to).unwrap();
            }
        }
        let checkout = Checkout { outer, root };
        git(&checkout.root, &["init", "--quiet", "--initial-branch=main"]);
        let gitlink = git(&source, &["ls-files", "--stage", "linux/build/derivative-maker"]);
        let commit = gitlink.split_whitespace().nth(1).unwrap();
        let info = format!("160000,{commit},linux/build/derivative-maker");
        fs::create_dir_all(checkout.root.join("linux/build/derivative-maker")).unwrap();
        git(&checkout.root, &["add", "--all"]);
        git(&checkout.root, &["update-index", "--add", "--cacheinfo", &info]);
        checkout.commit();
        checkout
    }

    /// Clones this checkout, with files made under another umask.
    pub fn clone_under(&self, umask: &str, name: &str) -> Checkout {
        let n = COUNT.fetch_add(1, Ordering::SeqCst);
        let outer = self.outer.with_file_name(format!("{}-{n}", std::process::id()));
        let root = outer.join(name);
        let mut clone = Command::new("sh");
        clone.args(["-c", "umask \"$1\"; git clone --quiet -- \"$2\" \"$3\"", "sh", umask]);
        run(clone.args([&self.root, &root])).exits(0);
        Checkout { outer, root }
    }

    /// Commits everything. The same content always gives the same commit.
    pub fn commit(&self) {
        git(&self.root, &["add", "--all", "--", ".", ":!linux/build/derivative-maker"]);
        git(&self.root, &["commit", "--quiet", "--allow-empty", "-m", "test"]);
    }

    /// Commits a recipe whose entry is `script`, with the given stages.
    pub fn add_recipe(&self, name: &str, stages: &[&str], script: &str) {
        let dir = self.root.join("linux/build/recipes").join(name);
        fs::create_dir_all(&dir).unwrap();
        let stages: String =
            stages.iter().map(|s| format!("[[stage]]\nname = \"{s}\"\nproduces = []\n")).collect();
        let toml = format!(
            "description = \"a test\"\nentry = \"build\"\niso = \"{name}.iso\"\nreleased = false\n\
             [needs]\nsubmodule = false\nengines = [\"docker\", \"podman\", \"private\", \"host\", \"vm\"]\n\
             disk_gib = 0\nram_gib = 1\nscratch_gib = 1\nhost_packages = []\n{stages}"
        );
        fs::write(dir.join("recipe.toml"), toml).unwrap();
        executable(&dir.join("build"), script);
        self.commit();
    }

    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.root.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not contain {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Returns the command `xtask` in this checkout, to which arguments and variables can be added.
    pub fn xtask<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        DIAGNOSE.call_once(build_diagnose);
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.current_dir(&self.root).args(args);
        // without CARGO, xtask starts the programs beside it, and builds none for the checkout
        let own =
            ["CARGO", "CARGO_MANIFEST_DIR", "BUILDER_IMAGE", "APT_SNAPSHOT_URL", "DOCKER_HOST"];
        for name in own.iter().chain(&["CI"]) {
            command.env_remove(name);
        }
        command
    }

    /// Gives the builder image inputs that no other checkout has: what was built from the same inputs is
    /// shared. Returns the file that keeps the image.
    pub fn own_inputs(&self) -> PathBuf {
        let list = self.root.join("linux/build/docker/packages.list");
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, format!("{text}# {}\n", self.outer.display())).unwrap();
        self.commit();
        let repo = Repo { root: self.root.clone() };
        let digest = Inputs::gather(&repo).unwrap().digest;
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        target.join("silvermetal/builder-image").join(format!("{}.tar", &digest.hex()[..12]))
    }

    pub fn output(&self) -> PathBuf {
        self.root.join("linux/build/output")
    }

    /// Names in the output folder, including hidden ones. Empty if there is no folder.
    pub fn output_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.output()).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Returns a PATH whose first folder has `script` as the program `name`.
    pub fn path_with(&self, name: &str, script: &str) -> String {
        let dir = self.outer.join("bin");
        fs::create_dir_all(&dir).unwrap();
        executable(&dir.join(name), script);
        format!("{}:{}", dir.display(), std::env::var("PATH").unwrap())
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // an error here must not hide the message of a failed test
        drop(fs::remove_dir_all(&self.outer));
    }
}

pub fn executable(path: &Path, script: &str) {
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let date = format!("@{COMMIT_TIME} +0000");
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "safe.directory=*"])
        .args(["-c", "commit.gpgsign=false", "-c", "core.autocrlf=false"])
        .args(args)
        .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    json::check(&String::from_utf8_lossy(&stdout));
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

impl Ran {
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, what: &str) -> Ran {
        assert!(self.stderr.contains(what), "expected `{what}` in stderr:\n{}", self.stderr);
        self
    }
}

/// Starts a mirror on loopback that serves an InRelease for every suite. Returns its URL.
pub fn mirror_peer() -> String {
    mirror_peer_of(|| "x\n".to_owned())
}

/// Starts a stand-in for the snapshot archive. Returns a value for APT_SNAPSHOT_URL.
pub fn snapshot_peer() -> String {
    mirror_peer().replace("/debian", "/archive")
}

/// The same as [`mirror_peer`]; each request gets the current result of `body`.
pub fn mirror_peer_of(body: impl Fn() -> String + Send + Sync + 'static) -> String {
    let body = std::sync::Arc::new(body);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/debian", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let body = std::sync::Arc::clone(&body);
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut path = String::new();
                    if lines.read_line(&mut path).unwrap_or(0) == 0 {
                        break;
                    }
                    let mut header = String::new();
                    while lines.read_line(&mut header).is_ok_and(|n| n > 2) {
                        header.clear();
                    }
                    let found =
                        ["GET /debian/", "GET /archive/"].iter().any(|p| path.starts_with(p));
                    let status = if found { "200 OK" } else { "404 Not Found" };
                    let body = body();
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}
