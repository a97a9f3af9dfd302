//! `bump-submodule`, against an upstream repository that each test makes.

use crate::support::{Checkout, git, run};
use crate::upstream::{README, RECORD, SUBMODULE, Upstream, initialise, pinned, status};
use serde_json::Value;
use std::fs;
use std::process::Command;

#[test]
#[ignore = "needs gnupg: cargo xtask test --full"]
fn pin_and_review_record_move_and_the_evidence_is_shown() {
    let checkout = Checkout::new("submodule");
    let upstream = Upstream::with_signer(&checkout);
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
    // `run` compares the keys with the page
    let json = upstream.bump(&checkout, &["--dry-run", "--json"]).exits(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let format = "silvermetal-bump-submodule/1";
    assert_eq!((&json["format"], &json["commit"]), (&format.into(), &second.as_str().into()));
    assert_eq!(status(&checkout.root), "");

    upstream.bump(&checkout, &[]).exits(0).says("compare the diff above").says("the gitlink");
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
fn each_kind_of_signature_is_reported() {
    let checkout = Checkout::new("signatures");
    let upstream = Upstream::with_signer(&checkout);
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
    told("by-ssh", "does not know the signer");
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
fn an_initialised_submodule_moves_along() {
    let checkout = Checkout::new("initialised");
    let upstream = Upstream::of(&checkout);
    let dir = initialise(&checkout, &upstream);
    let second = upstream.commit("second");
    upstream.bump(&checkout, &["master"]).exits(0);
    assert_eq!(git(&dir, &["rev-parse", "HEAD"]).trim(), second);
    assert_eq!(pinned(&checkout), second);
    let back = git(&checkout.root, &["rev-parse", &format!("HEAD:{SUBMODULE}")]);
    upstream
        .bump(&checkout, &[back.trim()])
        .exits(0)
        .says("does not descend from the pinned commit");
}

#[test]
fn a_dirty_submodule_is_refused_before_a_dry_run() {
    let checkout = Checkout::new("dirty-submodule");
    let upstream = Upstream::of(&checkout);
    let dir = initialise(&checkout, &upstream);
    upstream.commit("second");
    let readme = dir.join("docker/README.md");
    fs::write(&readme, "mine\n").unwrap();
    for args in [&["master", "--dry-run"][..], &["master"]] {
        let ran = upstream.bump(&checkout, args).exits(3).says("has changes of its own");
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert_eq!(fs::read_to_string(readme).unwrap(), "mine\n");
    assert_eq!(status(&checkout.root), "");
}

#[test]
fn a_bump_that_fails_changes_nothing() {
    let checkout = Checkout::new("all-or-none");
    let upstream = Upstream::of(&checkout);
    let dir = initialise(&checkout, &upstream);
    let first = pinned(&checkout);
    upstream.write("docker/entrypoint.sh", "this is another one\n");
    upstream.commit("the entrypoint changes");
    let bump_fails = |says: &str| {
        upstream.bump(&checkout, &["master"]).exits(4).says(says);
        assert_eq!(pinned(&checkout), first, "{says}");
        assert_eq!(git(&dir, &["rev-parse", "HEAD"]).trim(), first, "{says}");
        assert_eq!(git(&dir, &["branch", "--show-current"]), "master\n", "{says}");
        assert_eq!(status(&checkout.root), "", "{says}");
    };

    // a folder stands where the new README is to be prepared
    let in_the_way = checkout.root.join(README).with_file_name(".README.md.new");
    fs::create_dir(&in_the_way).unwrap();
    bump_fails("cannot write");
    fs::remove_dir(in_the_way).unwrap();
    // another git holds the index
    let index_lock = checkout.root.join(".git/index.lock");
    fs::write(&index_lock, "").unwrap();
    bump_fails("Another git process");
    fs::remove_file(index_lock).unwrap();
    // a file that git does not know stands where the new commit has one
    upstream.write("new-file", "upstream's\n");
    upstream.commit("a new file");
    fs::write(dir.join("new-file"), "mine\n").unwrap();
    bump_fails("new-file");
    assert_eq!(fs::read_to_string(dir.join("new-file")).unwrap(), "mine\n");

    fs::remove_file(dir.join("new-file")).unwrap();
    upstream.bump(&checkout, &["master"]).exits(0);
    assert_ne!(pinned(&checkout), first);
}

#[test]
fn the_remote_is_found_by_gits_own_rules() {
    let checkout = Checkout::new("remote");
    let upstream = Upstream::of(&checkout);
    let second = upstream.commit("second");
    let sibling = checkout.root.with_file_name("silvermetal.git");
    git(&checkout.root, &["config", "remote.origin.url", sibling.to_str().unwrap()]);
    let absolute = upstream.dir.display().to_string();
    for (name, url) in
        [(SUBMODULE, "../upstream"), ("derivative-maker", &absolute), ("other", "./../upstream/")]
    {
        let section = format!("[submodule \"{name}\"]\n\tpath = {SUBMODULE}\n\turl = {url:?}\n");
        fs::write(checkout.root.join(".gitmodules"), section).unwrap();
        // git's own answer
        git(&checkout.root, &["submodule", "--quiet", "init"]);
        let key = format!("submodule.{name}.url");
        assert_eq!(git(&checkout.root, &["config", "--get", &key]).trim(), absolute, "{name}");
        let ran = upstream.bump(&checkout, &["master", "--dry-run"]).exits(0);
        assert!(ran.stdout.contains(&format!("-> {second} (master)")), "{name}: {}", ran.stdout);
    }
    fs::write(checkout.root.join(".gitmodules"), "[submodule \"x\"]\n\tpath = y\n").unwrap();
    upstream
        .bump(&checkout, &["master", "--dry-run"])
        .exits(3)
        .says("no section of .gitmodules has `path = linux/build/derivative-maker`");
}
