//! The command line without an engine: help and usage errors; preflight; builds with a stub of docker.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start xtask and its peers"
)]

mod build;
mod engines;
mod forge;
mod image;
mod json;
mod leftovers;
mod places;
mod preflight;
#[path = "../support/mod.rs"]
mod support;
mod terminal;

use snapbox::{Assert, Redactions, file};
use std::process::Command;
use support::{Checkout, STUB, mirror_peer, run};

fn snapshots() -> Assert {
    let mut redactions = Redactions::new();
    redactions.insert("[BIN]", env!("CARGO_BIN_EXE_xtask")).unwrap();
    Assert::new().action_env("SNAPSHOTS").redact_with(redactions)
}

#[test]
fn the_help_of_every_command_is_as_recorded() {
    let checkout = Checkout::new("help");
    let help = |words: &[&str]| {
        run(checkout.xtask(words).arg("--help").env("COLUMNS", "100")).exits(0).stdout
    };
    let assert = snapshots();
    assert.eq(help(&[]), file!["../snapshots/help.txt"]);
    assert.eq(help(&["iso"]), file!["../snapshots/help-iso.txt"]);
    assert.eq(help(&["boot"]), file!["../snapshots/help-boot.txt"]);
    assert.eq(help(&["diagnose"]), file!["../snapshots/help-diagnose.txt"]);
    assert.eq(help(&["inspect"]), file!["../snapshots/help-inspect.txt"]);
    assert.eq(help(&["image", "build"]), file!["../snapshots/help-image-build.txt"]);
    assert.eq(help(&["release", "build"]), file!["../snapshots/help-release-build.txt"]);
    assert.eq(help(&["release", "publish"]), file!["../snapshots/help-release-publish.txt"]);
    assert.eq(help(&["reproduce"]), file!["../snapshots/help-reproduce.txt"]);
    assert.eq(help(&["image", "push"]), file!["../snapshots/help-image-push.txt"]);
    assert.eq(help(&["image", "show"]), file!["../snapshots/help-image-show.txt"]);
    assert.eq(help(&["doctor"]), file!["../snapshots/help-doctor.txt"]);
    assert.eq(help(&["bump-snapshot"]), file!["../snapshots/help-bump-snapshot.txt"]);
    assert.eq(help(&["bump-submodule"]), file!["../snapshots/help-bump-submodule.txt"]);
    assert.eq(help(&["bump-image"]), file!["../snapshots/help-bump-image.txt"]);
    assert.eq(help(&["check"]), file!["../snapshots/help-check.txt"]);
    assert.eq(help(&["clean"]), file!["../snapshots/help-clean.txt"]);
    assert.eq(help(&["test"]), file!["../snapshots/help-test.txt"]);
}

#[test]
fn usage_errors_exit_2() {
    let checkout = Checkout::new("usage");
    run(&mut checkout.xtask(["frobnicate"])).exits(2).says("unrecognized subcommand");
    run(&mut checkout.xtask(["iso", "cannary"]))
        .exits(2)
        .says("did you mean `canary`?")
        .says("there are: base, canary");
    run(&mut checkout.xtask(["iso", "../canary"])).exits(2).says("no recipe");
    run(&mut checkout.xtask(["iso", "canary", "--engine", "k8s"])).exits(2).says("possible values");
    for command in ["build", "push"] {
        run(&mut checkout.xtask([
            "image",
            command,
            "--engine",
            "host",
            "--mirror",
            &mirror_peer(),
        ]))
        .exits(2)
        .says("pass --engine docker, podman or private");
    }
    run(&mut checkout.xtask(["iso", "canary", "--image", "Bad Name"]))
        .exits(2)
        .says("not an image reference");
    run(&mut checkout.xtask(["iso", "canary", "--ca-file", "nowhere.pem"]))
        .exits(2)
        .says("nowhere.pem");
}

#[test]
fn shortcuts_reach_the_recipes_entry() {
    let checkout = Checkout::new("shortcuts");
    let plan = |words: &[&str]| {
        let common = ["iso", "base", "--engine", "private", "--dry-run", "-v"];
        run(checkout.xtask(common).args(words)).stdout
    };
    let words =
        "env SILVERMETAL_REUSE_CHROOT=yes SILVERMETAL_FAST_SQUASHFS=yes /home/user/recipe/build";
    let with = plan(&["--reuse-chroot", "--fast-squashfs"]);
    assert!(with.contains(words), "{with}");
    assert!(with.contains("silvermetal-package-cache"), "{with}");
    let without = plan(&[]);
    assert!(!without.contains("SILVERMETAL_REUSE") && !without.contains("SILVERMETAL_FAST"));
    assert!(!without.contains("silvermetal-package-cache"), "{without}");
}

#[test]
fn options_that_a_recipe_does_not_have_are_refused() {
    let checkout = Checkout::new("options");
    let iso = |words: &[&str]| run(checkout.xtask(["iso"]).args(words));
    iso(&["canary", "--flavor", "x"]).exits(2).says("recipe canary has no flavors");
    iso(&["canary", "--upstream", "/"]).exits(2).says("does not build from derivative-maker");
    iso(&["canary", "--reuse-packages", "--fast-squashfs"])
        .exits(2)
        .says("recipe canary has no such shortcut: remove --reuse-packages and --fast-squashfs");
    iso(&["base", "--engine", "vm", "--reuse-chroot"])
        .exits(2)
        .says("engine vm keeps nothing between builds: remove --reuse-chroot");
    iso(&["base", "--flavor", "kde"])
        .exits(2)
        .says("no flavor `kde`: expected one of kicksecure-lxqt, kicksecure-cli");
    iso(&["base", "--upstream", "/"]).exits(2).says("/ is no checkout of derivative-maker");
    checkout.edit("linux/build/config/silvermetal-base.conf", "kicksecure-lxqt\"", "kde\"");
    iso(&["base"]).exits(3).says("silvermetal-base.conf: recipe base has no flavor `kde`");
}

#[test]
fn a_call_outside_of_a_checkout_is_refused() {
    let checkout = Checkout::new("outside");
    run(checkout.xtask(["iso"]).current_dir("/")).exits(3).says("not in a SilverMetal checkout");
}

#[test]
fn the_alias_works_in_a_worktree_with_blanks_from_any_folder() {
    let checkout = Checkout::new("main tree");
    let tree = checkout.root.with_file_name("a work tree");
    support::git(
        &checkout.root,
        &["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()],
    );
    let mirror = mirror_peer();
    for folder in ["", "docs", "linux/build/scripts"] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(tree.join(folder)).args([
            "xtask",
            "iso",
            "canary",
            "--dry-run",
            "-v",
            "--engine",
            "docker",
            "--mirror",
            &mirror,
        ]);
        // one target folder, so that the dependencies are built once
        cargo.env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/alias"));
        cargo.env_remove("CARGO_MANIFEST_DIR").env("PATH", checkout.path_with("docker", STUB));
        let plan = run(&mut cargo).exits(0).stdout;
        assert!(plan.contains("a work tree/linux/build/output/.work-canary-"), "{plan}");
    }
}

#[test]
fn a_recipe_is_also_named_by_its_path() {
    let checkout = Checkout::new("by path");
    let mirror = mirror_peer();
    let recipes = checkout.root.join("linux/build/recipes");
    let absolute = recipes.join("canary").to_str().unwrap().to_owned();
    let plan = |name: &str| {
        let mut iso = checkout.xtask(["iso", name, "--dry-run", "--engine", "docker"]);
        iso.args(["--mirror", &mirror]).env("PATH", checkout.path_with("docker", STUB));
        run(&mut iso)
    };
    for name in
        ["./linux/build/recipes/canary/", "linux/build/recipes/canary/recipe.toml", &absolute]
    {
        assert!(plan(name).exits(0).stdout.starts_with("recipe     canary: "), "{name}");
    }
    for name in ["linux/build/recipes", "linux/build", "/", "docs/rules.md"] {
        plan(name).exits(2).says("there are: base, canary");
    }
}

#[test]
fn completions_complete_cargo_xtask_in_bash() {
    let checkout = Checkout::new("completions");
    let script = run(&mut checkout.xtask(["completions", "bash"])).exits(0).stdout;
    let complete = |words: &str| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _cargo_xtask cargo \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        run(Command::new("bash").args(["-c", &ask])).exits(0).stdout
    };
    assert_eq!(complete("cargo xt"), "xtask\n");
    assert_eq!(complete("cargo xtask ver"), "verify\n");
    assert_eq!(complete("cargo xtask iso --engine ho"), "host\n");
    assert_eq!(complete("cargo xtask image pu"), "push\n");
    assert_eq!(complete("cargo xtask diagnose --diffoscope ne"), "never\n");
    assert_eq!(complete("cargo xtask inspect --q"), "--quick\n");
    run(&mut checkout.xtask(["completions", "tcsh"])).exits(2).says("possible values");
}
