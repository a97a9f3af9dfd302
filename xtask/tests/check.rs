//! `cargo xtask check` as people and CI call it: options, exit codes, streams.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start xtask")]

mod support;

use serde_json::Value;
use std::fs;
use std::process::Command;
use support::{Checkout, run};

/// Runs in a folder whose runner configuration has a misspelt key.
fn check(checkout: &Checkout, args: &[&str]) -> Command {
    let root = checkout.root.join("to-check");
    fs::create_dir_all(root.join(".gitea/runner")).unwrap();
    fs::write(root.join(".gitea/runner/config.yaml"), "runner:\n  capacitiy: 1\n").unwrap();
    let mut command = checkout.xtask(["check", "--only", "runner-keys", "--root"]);
    command.arg(root).args(args).env_remove("CI");
    command
}

#[test]
fn findings_make_the_exit_code_1() {
    let checkout = Checkout::new("check");
    let ran = run(&mut check(&checkout, &[])).exits(1).says("1 finding");
    assert!(ran.stdout.contains("error[runner-keys]"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("::error"), "{}", ran.stdout);
    run(&mut check(&checkout, &["--fail-on", "error"])).exits(1);
    run(&mut checkout.xtask(["check", "--only", "yaml"]).args(["--skip", "yaml"])).exits(2);
    run(&mut checkout.xtask(["check", "--only", "yml"])).exits(2).says("did you mean `yaml`?");
    run(&mut checkout.xtask(["check", "--root", "nowhere"])).exits(3).says("nowhere");
}

#[test]
fn in_ci_findings_are_annotated() {
    let checkout = Checkout::new("annotations");
    let annotation = "::error file=.gitea/runner/config.yaml,line=2,col=3,title=runner-keys::";
    let ran = run(check(&checkout, &[]).env("CI", "true")).exits(1);
    assert!(ran.stdout.contains(annotation), "{}", ran.stdout);
    // stdout holds nothing but the JSON
    let ran = run(check(&checkout, &["--json"]).env("CI", "true")).exits(1).says(annotation);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["rules"], &report["errors"]), (&1.into(), &1.into()));
}

#[test]
fn a_rule_can_be_explained() {
    let checkout = Checkout::new("explain");
    let ran = run(&mut checkout.xtask(["check", "--explain", "terminal"])).exits(0);
    for part in ["cargo xtask check; error", "cargo xtask doctor", "Must hold: "] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    run(&mut checkout.xtask(["check", "--explain", "terminals"])).exits(2).says("`terminal`?");
    run(&mut checkout.xtask(["check", "--explain", "yaml", "--json"])).exits(2);
}
