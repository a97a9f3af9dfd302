//! `cargo xtask check` as people and CI call it: options, exit codes, streams.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start xtask")]

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{git, run};

/// xtask in this very checkout, which `check` only reads.
fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("check").args(args).env_remove("CI");
    command
}

/// `check` in a folder whose runner configuration has a misspelt key.
fn check(folder: &str, args: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(root.join(".gitea/runner")).unwrap();
    fs::write(root.join(".gitea/runner/config.yaml"), "runner:\n  capacitiy: 1\n").unwrap();
    // else git lists nothing: the folder lies in target/, which is ignored
    git(&root, &["init", "--quiet"]);
    let mut command = xtask(&["--only", "runner-keys", "--root"]);
    command.arg(root).args(args);
    command
}

#[test]
fn findings_make_the_exit_code_1() {
    let ran = run(&mut check("check-findings", &[])).exits(1).says("1 finding");
    assert!(ran.stdout.contains("error[runner-keys]"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("::error"), "{}", ran.stdout);
    run(&mut check("check-findings", &["--fail-on", "error"])).exits(1);
    run(&mut xtask(&["--only", "yaml", "--skip", "yaml"])).exits(2);
    run(&mut xtask(&["--only", "yml"])).exits(2).says("did you mean `yaml`?");
    run(&mut xtask(&["--root", "nowhere"])).exits(2).says("nowhere");
}

#[test]
fn in_ci_findings_are_annotated() {
    let annotation = "::error file=.gitea/runner/config.yaml,line=2,col=3,title=runner-keys::";
    let ran = run(check("check-annotations", &[]).env("CI", "true")).exits(1);
    assert!(ran.stdout.contains(annotation), "{}", ran.stdout);
    // stdout holds nothing but the JSON
    let ran =
        run(check("check-annotations", &["--json"]).env("CI", "true")).exits(1).says(annotation);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["rules"], &report["errors"]), (&1.into(), &1.into()));
}

#[test]
fn a_rule_can_be_explained() {
    let ran = run(&mut xtask(&["--explain", "terminal"])).exits(0);
    for part in ["cargo xtask check; error", "cargo xtask doctor", "Must hold: "] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    run(&mut xtask(&["--explain", "terminals"])).exits(2).says("`terminal`?");
    run(&mut xtask(&["--explain", "yaml", "--json"])).exits(2);
}
