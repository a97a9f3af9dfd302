//! `verify` on engine host, with recipes that take a moment: what is sabotaged is named.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::process::Command;
use support::{Checkout, Ran, mirror_peer, mirror_peer_of, run};

/// A recipe's entry: a tree, handed over as a deterministic tar, and an image around it.
/// `sabotage` runs before the tree is packed, in it; `$iso` may be appended to by `late`.
fn entry(sabotage: &str, late: &str) -> String {
    format!(
        r#"#!/bin/bash
set -euo pipefail
started_with=$(umask)
umask 022
after_touch() {{ :; }}
out=$SILVERMETAL_HOME/out tree=$SILVERMETAL_HOME/out/tmp/tree iso=$SILVERMETAL_HOME/out/$SILVERMETAL_ISO
mkdir -p "$out/records" "$tree/etc"
echo '@@stage rootfs'
cd "$tree"
echo one >etc/one; ln etc/one etc/again; echo two >etc/two; chmod 0644 etc/*
{sabotage}
find . -exec touch -h -d "@$SOURCE_DATE_EPOCH" {{}} +
after_touch
cd "$out"
tar --sort=name --numeric-owner --xattrs --format=posix \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -cf rootfs.tar -C "$tree" .
echo "pkg 1 amd64" >records/packages.txt
/usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root download-file "$SILVERMETAL_APT_DEBIAN/dists/trixie/InRelease" tmp/InRelease
sha256sum <tmp/InRelease | sed 's#-$#debian/dists/trixie/InRelease#' >records/inrelease.txt
echo '@@stage iso'
cp rootfs.tar "$iso"
{late}
"#
    )
}

fn checkout(sabotage: &str, late: &str) -> Checkout {
    let checkout = Checkout::new("verify");
    checkout.add_recipe("tiny", &["rootfs", "iso"], &entry(sabotage, late));
    let toml = checkout.root.join("linux/build/recipes/tiny/recipe.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replacen("produces = []", "produces = [\"rootfs.tar\"]", 1)).unwrap();
    checkout.commit();
    checkout
}

fn verify(checkout: &Checkout, args: &[&str]) -> Command {
    let words = ["verify", "tiny", "--engine", "host", "--mirror"];
    let mut command = checkout.xtask(words);
    command.arg(mirror_peer()).args(args);
    command
}

fn json(checkout: &Checkout) -> serde_json::Value {
    let names = checkout.output_names();
    let folder = names.iter().find(|name| name.starts_with("verify-")).expect("a verify folder");
    let text = fs::read_to_string(checkout.output().join(folder).join("verify.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Differs: stage, the file and what of it are named. Returns the whole answer.
#[track_caller]
fn differs(sabotage: &str, args: &[&str], file: &str, what: &str) -> (Ran, Checkout) {
    let checkout = checkout(sabotage, "");
    let ran = run(&mut verify(&checkout, args)).exits(1);
    assert!(ran.stdout.contains("first stage that differs: rootfs"), "{}", ran.stdout);
    let line = ran.stdout.lines().find(|l| l.contains(&format!("rootfs.tar:./{file}:")));
    assert!(line.is_some_and(|l| l.contains(what)), "{file}: {what} is not in\n{}", ran.stdout);
    (ran, checkout)
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn equal_builds_are_identical_under_all_conditions_that_can_be_varied() {
    let checkout = checkout("", "");
    let ran = run(&mut verify(&checkout, &["--vary", "all"])).exits(0);
    assert!(ran.stdout.starts_with("identical: "), "{}", ran.stdout);
    let json = json(&checkout);
    assert_eq!(json["verdict"], "identical");
    assert!(json["varied"].as_array().unwrap().contains(&"host-name".into()), "{json}");
    assert!(json["not_varied"].to_string().contains("clock"), "{json}");
    run(&mut verify(&checkout, &["--jobs", "2"])).exits(0);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn sabotage_is_named_by_stage_and_file() {
    differs("date +%N >etc/date", &[], "etc/date", "content");
    differs("echo $RANDOM$RANDOM >etc/two", &[], "etc/two", "content");
    differs("after_touch() { touch etc/two; }", &[], "etc/two", "mtime");
    let once = |first: &str, second: &str| {
        // a file beside the recipe's out tells the second build from the first: the package cache
        format!("if [ -e \"$SILVERMETAL_APT_CACHE/$PPID_MARK\" ]; then {second}; else {first}; fi")
            .replace("$PPID_MARK", "second")
    };
    let marked = |body: String| format!("{body}\n: >\"$SILVERMETAL_APT_CACHE/second\"");
    for (first, second, file, what) in [
        ("chown 0:0 etc/two", "chown 7:7 etc/two", "etc/two", "owner 0:0 → 7:7"),
        ("chmod 0644 etc/two", "chmod 0600 etc/two", "etc/two", "mode 0644 → 0600"),
        ("true", "rm etc/again; cp -p etc/one etc/again", "etc/one", "type hardlink → file"),
        ("true", "setfattr -n user.x -v 1 etc/two", "etc/two", "extended attributes"),
        ("true", "rm etc/two", "etc/two", "only in A"),
        ("true", "touch -d @5 etc/new", "etc/new", "only in B"),
    ] {
        reset_mark();
        differs(&marked(once(first, second)), &[], file, what);
    }
    reset_mark();
}

/// The package cache is shared by builds on purpose; here it carries the mark of the first build.
fn reset_mark() {
    let state = std::path::Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap();
    let mark = state.join("silvermetal/apt-cache/second");
    if mark.exists() {
        fs::remove_file(mark).unwrap();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn the_guilty_factor_is_found() {
    for (sabotage, factor) in [
        ("hostname >etc/host", "host-name"),
        ("pwd >etc/path", "path"),
        ("nproc >etc/cpus", "cpus"),
        ("echo $started_with >etc/umask", "umask"),
    ] {
        let file = sabotage.rsplit('>').next().unwrap();
        let (ran, checkout) = differs(sabotage, &["--vary", "all", "--bisect"], file, "content");
        assert!(ran.stdout.contains(&format!("guilty: {factor}")), "{}", ran.stdout);
        assert_eq!(json(&checkout)["guilty"], factor);
    }
    let (ran, _) =
        differs("date +%N >etc/date", &["--vary", "all", "--bisect"], "etc/date", "content");
    assert!(ran.stdout.contains("guilty: no factor"), "{}", ran.stdout);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_late_difference_is_the_image_stage_s() {
    let checkout = checkout("", "date +%N >>\"$iso\"");
    let ran = run(&mut verify(&checkout, &[])).exits(1);
    assert!(ran.stdout.contains("only the images differ"), "{}", ran.stdout);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_mirror_that_moved_is_told_from_a_bad_build() {
    let moved = std::env::temp_dir().join(format!("silvermetal-moved-{}", std::process::id()));
    let mark = moved.clone();
    let peer = mirror_peer_of(move || format!("moved: {}\n", mark.exists()));
    // the first build moves the mirror when it is done
    let checkout = checkout("", &format!("touch {}", moved.display()));
    let words = ["verify", "tiny", "--engine", "host", "--mirror", &peer];
    let ran = run(&mut checkout.xtask(words));
    fs::remove_file(&moved).unwrap();
    // the image is the tar, which knows nothing of InRelease: with equal images there is no quarrel
    ran.exits(0);
    let checkout = self::checkout(
        &format!("[ ! -e {0} ] || echo newer >etc/two", moved.display()),
        &format!("touch {}", moved.display()),
    );
    let ran = run(&mut checkout.xtask(words));
    fs::remove_file(&moved).unwrap();
    let answer = ran.exits(1).stdout;
    assert!(answer.contains("the inputs moved between the builds"), "{answer}");
    assert!(answer.contains("input: the package mirror's InRelease"), "{answer}");
    assert_eq!(json(&checkout)["verdict"], "inputs-differ");
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_failing_build_is_named_and_resume_goes_on() {
    let once =
        "[ -e \"$SILVERMETAL_APT_CACHE/second\" ] && exit 9\n: >\"$SILVERMETAL_APT_CACHE/second\"";
    reset_mark();
    let checkout = checkout(once, "");
    run(&mut verify(&checkout, &[]))
        .exits(4)
        .says("build B failed")
        .says("--resume")
        .says("exit 9");
    reset_mark();
    run(&mut verify(&checkout, &["--resume"])).exits(0).says("going on with the finished build A");
    // a damaged A is made anew, never believed
    let names = checkout.output_names();
    let a = checkout.output().join(&names[0]).join("build-a/tiny.iso");
    fs::write(&a, "damaged").unwrap();
    reset_mark();
    run(&mut verify(&checkout, &["--resume"]))
        .exits(4)
        .says("build A is made anew")
        .says("build B failed");
    reset_mark();
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn one_build_against_something_published() {
    let checkout = checkout("", "");
    // the magic makes the tar an ISO for the reader of published images
    let sums = checkout.root.with_file_name("SHA256SUMS");
    let built =
        run(&mut checkout.xtask(["iso", "tiny", "--engine", "host", "--mirror", &mirror_peer()]))
            .exits(0);
    let hash = built.stdout.split_whitespace().next().unwrap().to_owned();
    fs::write(&sums, format!("{hash}  tiny.iso\n")).unwrap();
    let path = sums.to_str().unwrap().to_owned();
    let ran = run(&mut verify(&checkout, &["--against", &path])).exits(0);
    assert!(ran.stdout.contains(&hash));
    fs::write(&sums, format!("{}  tiny.iso\n", "0".repeat(64))).unwrap();
    run(&mut verify(&checkout, &["--against", &path])).exits(1).says("is not what");
    fs::write(&sums, "nothing\n").unwrap();
    run(&mut verify(&checkout, &["--against", &path])).exits(2).says("expected a line");
    run(&mut verify(&checkout, &["--against", "/nowhere"])).exits(2).says("/nowhere");
}
