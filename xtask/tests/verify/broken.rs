//! `verify` with builds that fail or are interrupted: exit codes, kept results, and `--resume`.

use crate::support::disk::Disk;
use crate::support::running::Running;
use crate::support::{Checkout, mirror_peer, run};
use crate::{CacheMark, checkout, verify};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_failed_build_is_reported_and_resume_continues() {
    let once =
        "[ -e \"$SILVERMETAL_APT_CACHE/second\" ] && exit 9\n: >\"$SILVERMETAL_APT_CACHE/second\"";
    let mark = CacheMark::new();
    let checkout = checkout(once, "");
    run(&mut verify(&checkout, &[]))
        .exits(4)
        .says("build B failed")
        .says("--resume")
        .says("exit 9");
    mark.reset();
    run(&mut verify(&checkout, &["--resume"])).exits(0).says("going on with the finished build A");
    // a damaged build A is built again
    let names = checkout.output_names();
    let a = checkout.output().join(&names[0]).join("build-a/tiny.iso");
    fs::write(&a, "damaged").unwrap();
    mark.reset();
    run(&mut verify(&checkout, &["--resume"]))
        .exits(4)
        .says("build A is built again")
        .says("build B failed");
}

/// A folder that the first build creates, so that a recipe can distinguish the second build.
struct Mark(PathBuf);

impl Mark {
    fn new(name: &str) -> Mark {
        Mark(std::env::temp_dir().join(format!("silvermetal-{name}-{}", std::process::id())))
    }

    /// Shell code that creates the mark and runs `first`; if the mark exists, it runs `second`. Because
    /// mkdir is atomic, exactly one of two parallel builds is the first.
    fn tells(&self, first: &str, second: &str) -> String {
        format!("if mkdir {} 2>&-; then {first}; else {second}; fi", self.0.to_str().unwrap())
    }

    fn reset(&self) {
        fs::remove_dir(&self.0).unwrap();
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

/// Prints `ready`, and waits until it is killed.
const WAIT: &str = "echo ready; while :; do sleep 0.1; done";

/// Entries of the only verify folder. Empty if there is none.
fn kept(checkout: &Checkout) -> Vec<String> {
    let names = checkout.output_names();
    assert!(names.iter().all(|name| name.starts_with("verify-")), "{names:?}");
    let folders = names.iter().map(|name| fs::read_dir(checkout.output().join(name)).unwrap());
    let mut kept: Vec<String> =
        folders.flatten().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    kept
}

fn interrupted(checkout: &Checkout, args: &[&str]) {
    let mut running = Running::start(verify(checkout, args).arg("-v"));
    running.until("ready");
    running.signal("INT");
    running.ends().exits(130).says("interrupted");
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn an_interrupted_build_a_leaves_nothing() {
    let mark = Mark::new("in-a");
    let checkout = checkout(&mark.tells(WAIT, "true"), "");
    interrupted(&checkout, &[]);
    assert_eq!(kept(&checkout), [""; 0]);
    run(&mut verify(&checkout, &["--resume"])).exits(0).says("build A is built again");
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn an_interrupted_build_b_keeps_a_and_resume_builds_only_b() {
    let mark = Mark::new("in-b");
    let checkout = checkout(&mark.tells("true", WAIT), "");
    interrupted(&checkout, &[]);
    assert_eq!(kept(&checkout), ["build-a"]);
    mark.reset();
    let ran = run(&mut verify(&checkout, &["--resume"])).exits(0);
    ran.says("going on with the finished build A");
    assert_eq!(kept(&checkout), ["build-a", "build-b", "verify.json", "verify.txt"]);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn two_interrupted_parallel_builds_leave_nothing() {
    let checkout = checkout(WAIT, "");
    let mut running = Running::start(verify(&checkout, &["--jobs", "2"]).arg("-v"));
    running.until("A|   ready");
    running.until("B|   ready");
    running.signal("TERM");
    running.ends().exits(130).says("interrupted");
    assert_eq!(kept(&checkout), [""; 0]);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn the_finished_one_of_two_parallel_builds_is_not_repeated() {
    let mark = Mark::new("one-of-two");
    // the second build fails, after the first has finished
    let checkout = checkout("", &mark.tells("true", "sleep 1; exit 7"));
    run(&mut verify(&checkout, &["--jobs", "2"])).exits(4).says("exit 7").says("--resume");
    assert_eq!(kept(&checkout).len(), 1);
    mark.reset();
    run(&mut verify(&checkout, &["--resume"])).exits(0).says("going on with the finished build");
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn two_failed_builds_are_both_reported() {
    let checkout = checkout("exit 9", "");
    let one = run(&mut verify(&checkout, &[])).exits(4);
    one.says("build A failed").says("exit 9");
    let two = run(&mut verify(&checkout, &["--jobs", "2"])).exits(4);
    two.says("both builds failed").says("exit 9").says("stage rootfs");
    assert_eq!(kept(&checkout), [""; 0]);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_disk_that_fills_in_b_keeps_a() {
    let mark = Mark::new("disk");
    let fill = "dd if=/dev/zero of=etc/fill bs=1M status=none";
    let checkout = checkout(&mark.tells("true", fill), "");
    let disk = Disk::new(&checkout.root, 48);
    let output = disk.dir.join("result");
    let at = |args: &[&str]| {
        let mut command = verify(&checkout, args);
        command.arg("--output").arg(&output);
        command
    };
    run(&mut at(&[]))
        .exits(4)
        .says("build B failed")
        .says("No space left on device")
        .says("--resume");
    let names = |dir: &Path| -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names(&output), ["build-a"]);
    mark.reset();
    run(&mut at(&["--resume"])).exits(0).says("going on with the finished build A");
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_build_without_an_image_or_with_an_empty_one_fails() {
    for late in [": >\"$iso\"", "rm \"$iso\""] {
        let checkout = checkout("", late);
        run(&mut verify(&checkout, &[])).exits(4).says("build A failed").says("made no ISO");
        assert_eq!(kept(&checkout), [""; 0]);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_damaged_or_unreadable_published_image_is_reported() {
    let checkout = checkout("", "");
    let mut iso = checkout.xtask(["iso", "tiny", "--engine", "host", "--mirror", &mirror_peer()]);
    let built = run(&mut iso).exits(0).stdout;
    let whole = built.trim().split_once("  ").unwrap().1;
    let bytes = fs::read(whole).unwrap();
    let copy = checkout.root.with_file_name("published.iso");
    let against = |exits: i32, says: &str| {
        let mut verify = verify(&checkout, &["--against"]);
        run(verify.arg(&copy)).exits(exits).says(says);
    };
    fs::write(&copy, &bytes).unwrap();
    against(0, "");
    fs::write(&copy, &bytes[..bytes.len() - 512]).unwrap();
    against(1, "is not what");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    fs::write(&copy, flipped).unwrap();
    against(1, "is not what");
    fs::remove_file(&copy).unwrap();
    fs::create_dir(&copy).unwrap();
    against(2, "published.iso");
}
