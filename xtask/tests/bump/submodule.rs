//! The derivative-maker pin, against an upstream of our own with signed and unsigned tags.

use crate::signer::Signer;
use crate::support::{Checkout, Ran, git, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SUBMODULE: &str = "linux/build/derivative-maker";
const RECORD: &str = "linux/build/docker/builder-image.toml";
const README: &str = "linux/build/docker/systemd-entrypoint/README.md";

/// An upstream that our entrypoint was reviewed against, at its tag 1.0.
struct Upstream {
    dir: PathBuf,
    signer: Signer,
    /// The caller's git: who is trusted.
    config: PathBuf,
}

impl Upstream {
    /// Has the reviewed files, and is what `checkout` pins.
    fn of(checkout: &Checkout) -> Upstream {
        let dir = checkout.root.with_file_name("upstream");
        fs::create_dir_all(&dir).unwrap();
        let config = checkout.root.with_file_name("gitconfig");
        fs::write(&config, "").unwrap();
        let upstream = Upstream { dir, signer: Signer::new(), config };
        upstream.git(&["init", "--quiet", "--initial-branch=master"]);
        let record = fs::read_to_string(checkout.root.join(RECORD)).unwrap();
        let value = |line: &str| Some(line.split_once(" = \"")?.1.trim_end_matches('"').to_owned());
        let field =
            |name: &str| record.lines().filter(|l| l.starts_with(name)).find_map(value).unwrap();
        let blobs: Vec<(String, String)> = record
            .lines()
            .skip_while(|line| !line.starts_with("[reviewed.blobs]"))
            .filter_map(|line| {
                Some((line.strip_prefix('"')?.split_once('"')?.0.to_owned(), value(line)?))
            })
            .collect();
        for (path, _) in &blobs {
            upstream.write(path, &format!("this is {path}\n"));
        }
        let first = upstream.commit("first");
        upstream.git(&["tag", "1.0"]);
        let url = upstream.git(&[
            "config",
            "--file",
            checkout.root.join(".gitmodules").to_str().unwrap(),
            "--get",
            &format!("submodule.{SUBMODULE}.url"),
        ]);
        checkout.edit(".gitmodules", url.trim(), upstream.dir.to_str().unwrap());
        for file in [RECORD, README] {
            let mut text = fs::read_to_string(checkout.root.join(file)).unwrap();
            for (path, old) in &blobs {
                let new = upstream.git(&["rev-parse", &format!("HEAD:{path}")]);
                text = text.replace(old, new.trim());
            }
            text = text.replace(&format!("(tag {})", field("tag = ")), "(tag 1.0)");
            text = text.replace(&format!("tag = \"{}\"", field("tag = ")), "tag = \"1.0\"");
            fs::write(checkout.root.join(file), text.replace(&field("commit = "), &first)).unwrap();
        }
        git(
            &checkout.root,
            &["update-index", "--cacheinfo", &format!("160000,{first},{SUBMODULE}")],
        );
        checkout.commit();
        upstream
    }

    fn git(&self, args: &[&str]) -> String {
        let home = self.signer.home.display().to_string();
        let gpg = format!("gpg.program={home}/gpg");
        crate::support::executable(
            &self.signer.home.join("gpg"),
            &format!("#!/bin/sh\nGNUPGHOME='{home}' exec gpg \"$@\"\n"),
        );
        git(&self.dir, &[&["-c", &gpg][..], args].concat())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    fn bump(&self, checkout: &Checkout, args: &[&str]) -> Ran {
        let mut bump = checkout.xtask([&["bump-submodule"], args].concat());
        bump.env("GIT_CONFIG_GLOBAL", &self.config).env("GNUPGHOME", &self.signer.home);
        run(&mut bump)
    }
}

fn status(dir: &Path) -> String {
    git(dir, &["status", "--porcelain", "--ignore-submodules=dirty"])
}

fn pinned(checkout: &Checkout) -> String {
    let entry = git(&checkout.root, &["ls-files", "--stage", SUBMODULE]);
    entry.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn the_pin_and_the_review_record_move_with_the_evidence_shown() {
    let checkout = Checkout::new("submodule");
    let upstream = Upstream::of(&checkout);
    let first = pinned(&checkout);
    upstream.commit("second thoughts");
    upstream.write("docker/entrypoint.sh", "this is another one\n");
    upstream.write("docker/new-helper", "this was not there\n");
    let second = upstream.commit("the entrypoint changes");
    upstream.git(&["tag", "-s", "-u", crate::signer::NAME, "-m", "v", "1.10"]);
    upstream.git(&["tag", "1.9", "HEAD~1"]);

    let dry = upstream.bump(&checkout, &["--dry-run"]).exits(0).says("nothing was written");
    for shown in [
        &format!("{first} -> {second} (1.10)"),
        "signature: a signed tag: gpg: Good signature from",
        ": second thoughts\n",
        ": the entrypoint changes\n",
        "-this is docker/entrypoint.sh\n+this is another one\n",
        "+this was not there\n",
    ] {
        assert!(dry.stdout.contains(shown), "{shown} is not in\n{}", dry.stdout);
    }
    assert_eq!(status(&checkout.root), "");

    upstream.bump(&checkout, &[]).exits(0).says("read the diff above").says("the gitlink");
    assert_eq!(pinned(&checkout), second);
    let (record, readme) =
        [RECORD, README].map(|file| fs::read_to_string(checkout.root.join(file)).unwrap()).into();
    let blob = |path: &str| upstream.git(&["rev-parse", &format!("HEAD:{path}")]).trim().to_owned();
    assert!(record.contains(&format!("commit = \"{second}\"\ntag = \"1.10\"\n")), "{record}");
    assert!(readme.contains(&format!("derivative-maker {second} (tag 1.10)")), "{readme}");
    for path in ["docker/entrypoint.sh", "docker/new-helper", "docker/Dockerfile"] {
        assert!(record.contains(&format!("\"{path}\" = \"{}\"\n", blob(path))), "{path}: {record}");
        assert!(readme.contains(&format!("| {path} | {} |\n", blob(path))), "{path}: {readme}");
    }
    let before = git(&checkout.root, &["diff", "HEAD"]);
    upstream.bump(&checkout, &[]).exits(0).says("already pinned");
    assert_eq!(git(&checkout.root, &["diff", "HEAD"]), before);
}

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn a_signature_is_told_for_what_it_is() {
    let checkout = Checkout::new("signatures");
    let upstream = Upstream::of(&checkout);
    let second = upstream.commit("second");
    let key = checkout.root.with_file_name("key");
    let mut keygen = Command::new("ssh-keygen");
    run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "t", "-f"]).arg(&key)).exits(0);
    let ssh = format!("user.signingkey={}", key.display());
    upstream.git(&["-c", "gpg.format=ssh", "-c", &ssh, "tag", "-s", "-m", "v", "by-ssh"]);
    upstream.git(&["tag", "-a", "-m", "v", "annotated"]);
    upstream.git(&["tag", "light"]);
    upstream.git(&["tag", "-s", "-u", crate::signer::NAME, "-m", "v", "by-gpg"]);
    let told = |rev: &str, signature: &str| {
        let ran = upstream.bump(&checkout, &[rev, "--dry-run"]).exits(0);
        let line = ran.stdout.lines().find(|line| line.starts_with("signature: ")).unwrap();
        assert!(line.contains(signature), "{rev}: {line}");
    };
    told("by-gpg", "a signed tag: gpg: Good signature");
    told("annotated", "NOT SIGNED: an annotated tag without a signature");
    told("light", "NOT SIGNED: a lightweight tag");
    told(&second, "NOT SIGNED: not a tag");
    told("by-ssh", "cannot say by whom");
    let signers = checkout.root.with_file_name("signers");
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    fs::write(&signers, format!("t@example.org {public}")).unwrap();
    fs::write(
        &upstream.config,
        format!("[gpg \"ssh\"]\n\tallowedSignersFile = {}\n", signers.display()),
    )
    .unwrap();
    told("by-ssh", "a signed tag: Good \"git\" signature for t@example.org");

    let text = upstream.git(&["cat-file", "tag", "by-gpg"]).replace("\nv\n", "\nw\n");
    let forged = checkout.root.with_file_name("forged");
    fs::write(&forged, text).unwrap();
    let id = upstream.git(&["hash-object", "-t", "tag", "-w", forged.to_str().unwrap()]);
    upstream.git(&["update-ref", "refs/tags/forged", id.trim()]);
    upstream.bump(&checkout, &["forged"]).exits(1).says("the signature of tag forged is bad");
    upstream.bump(&checkout, &["nowhere"]).exits(2).says("the remote has no `nowhere`");
    assert_eq!(status(&checkout.root), "");
}

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn a_submodule_that_is_there_moves_along_unless_it_has_changes() {
    let checkout = Checkout::new("initialised");
    let upstream = Upstream::of(&checkout);
    let dir = checkout.root.join(SUBMODULE);
    run(Command::new("git").args(["clone", "--quiet"]).args([&upstream.dir, &dir])).exits(0);
    let second = upstream.commit("second");
    fs::write(dir.join("docker/README.md"), "mine\n").unwrap();
    upstream.bump(&checkout, &["master"]).exits(3).says("has changes of its own");
    git(&dir, &["checkout", "--quiet", "--", "."]);
    upstream.bump(&checkout, &["master"]).exits(0);
    assert_eq!(git(&dir, &["rev-parse", "HEAD"]).trim(), second);
    assert_eq!(pinned(&checkout), second);
    let back = git(&checkout.root, &["rev-parse", &format!("HEAD:{SUBMODULE}")]);
    upstream.bump(&checkout, &[back.trim()]).exits(0).says("does not come after the pinned commit");
}
