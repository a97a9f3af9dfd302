//! `verify --fail-fast`: the rest of a build that differs already is not built.

use crate::support::{Ran, run};
use crate::{checkout, json, verify};
use std::fs;
use std::path::PathBuf;

/// Far longer than a test: a build that is not stopped would be seen.
const LATE: &str = "sleep 900";

/// A folder that the first build makes, so that a recipe can tell the second one.
struct First(PathBuf);

impl First {
    fn new(name: &str) -> First {
        First(std::env::temp_dir().join(format!("silvermetal-{name}-{}", std::process::id())))
    }

    fn else_run(&self, second: &str) -> String {
        format!("mkdir {} 2>&- || {second}", self.0.to_str().unwrap())
    }
}

impl Drop for First {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

fn stopped(ran: &Ran) {
    for line in [
        "first stage that differs: rootfs (1 difference)",
        "rootfs.tar:./etc/date: content",
        "stopped in stage iso, because the builds differ already: no second image was built",
        "diagnosis of rootfs.tar:",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn build_b_is_stopped_at_the_first_stage_that_differs() {
    let first = First::new("fail-fast");
    let checkout = checkout("date +%N >etc/date", &first.else_run(LATE));
    let ran = run(&mut verify(&checkout, &["--fail-fast"])).exits(1);
    stopped(&ran);
    assert!(ran.stdout.contains("--no-fail-fast --resume"), "{}", ran.stdout);
    let report = json(&checkout);
    assert_eq!((&report["verdict"], &report["stage"]), (&"differs".into(), &"rootfs".into()));
    assert_eq!((&report["stopped"]["stage"], &report["b"]), (&"iso".into(), &().into()));
    let folder = checkout.output().join(&checkout.output_names()[0]);
    let kept = || {
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(kept(), ["build-a", "verify.json", "verify.txt"], "nothing else is left");
    // diagnose says where the answer is
    run(checkout.xtask(["diagnose"]).arg(&folder)).exits(2).says("verify.txt");

    // again, from the finished build A: its trees are gone, its manifests are not
    let ran = run(&mut verify(&checkout, &["--resume", "--fail-fast"])).exits(1);
    ran.says("going on with the finished build A");
    // and to the end
    fs::remove_dir(&first.0).unwrap();
    let ran = run(&mut verify(&checkout, &["--resume", "--no-fail-fast"])).exits(1);
    assert!(!ran.stdout.contains("stopped in"), "{}", ran.stdout);
    assert_eq!(kept(), ["build-a", "build-b", "verify.json", "verify.txt"]);
    assert_eq!(json(&checkout)["stopped"], serde_json::Value::Null);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn two_builds_at_once_both_stop() {
    let checkout = checkout("date +%N >etc/date", LATE);
    let ran = run(&mut verify(&checkout, &["--fail-fast", "--jobs", "2"])).exits(1);
    stopped(&ran);
    let folder = checkout.output().join(&checkout.output_names()[0]);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2, "only the report is left");
    assert_eq!(json(&checkout)["a"], serde_json::Value::Null);
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn equal_builds_are_identical_and_ci_stops_early_by_itself() {
    let equal = checkout("", "");
    for more in [&[][..], &["--jobs", "2"]] {
        let args = [&["--fail-fast"], more].concat();
        let ran = run(&mut verify(&equal, &args)).exits(0);
        assert!(ran.stdout.starts_with("identical: "), "{}", ran.stdout);
    }
    let first = First::new("fail-fast-ci");
    let other = checkout("date +%N >etc/date", &first.else_run(LATE));
    stopped(&run(verify(&other, &[]).env("CI", "true")).exits(1));
}

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn the_guilty_variation_is_found_with_stopped_builds() {
    let checkout = checkout("hostname >etc/date", "");
    for more in [&[][..], &["--jobs", "2"]] {
        let args = ["--fail-fast", "--vary", "host-name,cpus", "--bisect"];
        let ran = run(&mut verify(&checkout, &[&args, more].concat())).exits(1);
        assert!(ran.stdout.contains("guilty: host-name"), "{}", ran.stdout);
    }
}
