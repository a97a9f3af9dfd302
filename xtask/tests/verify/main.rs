//! `verify` on engine host, with recipes that build in a moment and make chosen differences.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod fail_fast;
mod rejected;
mod sabotage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::{Checkout, mirror_peer, run};

/// Entry of a recipe that makes a tree, packs it as a deterministic tar, and makes an image of that.
/// `sabotage` runs in the tree before it is packed. `late` may append to `$iso`.
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

static MARK: Mutex<()> = Mutex::new(());

/// A mark of the first build in the package cache, which builds share: `$SILVERMETAL_APT_CACHE/second`.
/// Only one test uses it at a time. Dropping it removes the mark.
struct CacheMark(PathBuf, #[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl CacheMark {
    fn new() -> CacheMark {
        let state = Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap();
        let alone = MARK.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = CacheMark(state.join("silvermetal/apt-cache/second"), alone);
        mark.reset();
        mark
    }

    fn reset(&self) {
        if self.0.exists() {
            fs::remove_file(&self.0).unwrap();
        }
    }
}

impl Drop for CacheMark {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn equal_builds_are_identical_under_all_variations() {
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
fn a_build_is_compared_with_a_published_image_or_hash() {
    let checkout = checkout("", "");
    // the magic number makes the tar look like an ISO
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
