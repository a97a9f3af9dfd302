//! Deliberate differences between two builds. `verify` reports the stage, the file, the kind of
//! difference, and the variation that causes it.

use crate::support::{Checkout, Ran, mirror_peer_of, run};
use crate::{CacheMark, checkout, json, verify};
use std::fs;

/// Expects a difference of the kind `what` in `file` of the stage rootfs.
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
fn a_difference_is_reported_by_stage_and_file() {
    differs("date +%N >etc/date", &[], "etc/date", "content");
    differs("echo $RANDOM$RANDOM >etc/two", &[], "etc/two", "content");
    differs("after_touch() { touch etc/two; }", &[], "etc/two", "mtime");
    let once = |first: &str, second: &str| {
        // a file in the shared package cache marks the second build
        format!("if [ -e \"$SILVERMETAL_APT_CACHE/$PPID_MARK\" ]; then {second}; else {first}; fi")
            .replace("$PPID_MARK", "second")
    };
    let marked = |body: String| format!("{body}\n: >\"$SILVERMETAL_APT_CACHE/second\"");
    let mark = CacheMark::new();
    for (first, second, file, what) in [
        ("chown 0:0 etc/two", "chown 7:7 etc/two", "etc/two", "owner 0:0 → 7:7"),
        ("chmod 0644 etc/two", "chmod 0600 etc/two", "etc/two", "mode 0644 → 0600"),
        ("true", "rm etc/again; cp -p etc/one etc/again", "etc/one", "type hardlink → file"),
        ("true", "setfattr -n user.x -v 1 etc/two", "etc/two", "extended attributes user.x"),
        ("true", "rm etc/two", "etc/two", "only in A"),
        ("true", "touch -d @5 etc/new", "etc/new", "only in B"),
    ] {
        mark.reset();
        differs(&marked(once(first, second)), &[], file, what);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn the_guilty_variation_is_found() {
    for (sabotage, factor) in [
        ("hostname >etc/host", "host-name"),
        ("pwd >etc/path", "path"),
        ("nproc >etc/cpus", "cpus"),
        ("echo $started_with >etc/umask", "umask"),
        ("(cd etc && touch {a..z} && ls -U | head -3 >../order && rm {a..z})", "directory-order"),
    ] {
        let file = match factor {
            "directory-order" => "order",
            _ => sabotage.rsplit('>').next().unwrap(),
        };
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
fn a_difference_of_the_images_alone_is_reported() {
    let checkout = checkout("", "date +%N >>\"$iso\"");
    let ran = run(&mut verify(&checkout, &[])).exits(1);
    assert!(ran.stdout.contains("only the images differ"), "{}", ran.stdout);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_changed_mirror_is_distinguished_from_an_unreproducible_build() {
    let changed = std::env::temp_dir().join(format!("silvermetal-changed-{}", std::process::id()));
    let mark = changed.clone();
    let peer = mirror_peer_of(move || format!("changed: {}\n", mark.exists()));
    // the first build changes the mirror at its end
    let checkout = checkout("", &format!("touch {}", changed.to_str().unwrap()));
    let words = ["verify", "tiny", "--engine", "host", "--mirror", &peer];
    let ran = run(&mut checkout.xtask(words));
    fs::remove_file(&changed).unwrap();
    // the image does not depend on InRelease, and equal images are identical
    ran.exits(0);
    let checkout = self::checkout(
        &format!("[ ! -e {0} ] || echo newer >etc/two", changed.to_str().unwrap()),
        &format!("touch {}", changed.to_str().unwrap()),
    );
    let ran = run(&mut checkout.xtask(words));
    fs::remove_file(&changed).unwrap();
    let answer = ran.exits(1).stdout;
    assert!(answer.contains("the inputs moved between the builds"), "{answer}");
    assert!(answer.contains("input: the package mirror's InRelease"), "{answer}");
    assert_eq!(json(&checkout)["verdict"], "inputs-differ");
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_checkout_that_changes_during_build_a_is_an_input_that_moved() {
    let checkout = checkout("", "");
    // from outside: a build does not see a checkout below /home
    let [begun, edited] = ["begun", "edited"].map(|name| {
        std::env::temp_dir().join(format!("silvermetal-checkout-{name}-{}", std::process::id()))
    });
    let wait = format!(
        "touch {}; until [ -e {} ]; do sleep 0.1; done; date +%N >etc/two",
        begun.to_str().unwrap(),
        edited.to_str().unwrap()
    );
    checkout.edit("linux/build/recipes/tiny/build", "echo two >etc/two", &wait);
    checkout.commit();
    let new = checkout.root.join("new");
    let (is_begun, say_so) = (begun.clone(), edited.clone());
    std::thread::spawn(move || {
        while !is_begun.exists() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        fs::write(new, "").and_then(|()| fs::write(say_so, "")).unwrap();
    });
    let ran = run(&mut verify(&checkout, &[]));
    for mark in [begun, edited] {
        fs::remove_file(mark).unwrap();
    }
    let ran = ran.exits(1);
    assert!(ran.stdout.contains("input: uncommitted changes"), "{}", ran.stdout);
    assert_eq!(json(&checkout)["verdict"], "inputs-differ");
}
