//! What a user types and reads, with no engine: help, usage, plans, preflight, protocol corner cases.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start xtask and its peers"
)]

mod support;

use serde_json::Value;
use snapbox::{Assert, Redactions, file};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use support::{COMMIT_TIME, Checkout, STUB, git, mirror_peer, run};
use xtask_core::rules::DOCTOR;

fn snapshots() -> Assert {
    let mut redactions = Redactions::new();
    redactions.insert("[BIN]", env!("CARGO_BIN_EXE_xtask")).unwrap();
    Assert::new().action_env("SNAPSHOTS").redact_with(redactions)
}

/// `iso canary` against the stub, whose container does `script`.
fn iso_with_stub(checkout: &Checkout, script: &str) -> Command {
    let mut command =
        checkout.xtask(["iso", "canary", "--engine", "docker", "--mirror", &mirror_peer()]);
    command.env("PATH", checkout.path_with("docker", STUB)).env("RUN", script);
    command
}

#[test]
fn help_of_every_command() {
    let checkout = Checkout::new("help");
    let help = |words: &[&str]| {
        run(checkout.xtask(words).arg("--help").env("COLUMNS", "100")).exits(0).stdout
    };
    let assert = snapshots();
    assert.eq(help(&[]), file!["snapshots/help.txt"]);
    assert.eq(help(&["iso"]), file!["snapshots/help-iso.txt"]);
    assert.eq(help(&["boot"]), file!["snapshots/help-boot.txt"]);
    assert.eq(help(&["image", "build"]), file!["snapshots/help-image-build.txt"]);
    assert.eq(help(&["release", "build"]), file!["snapshots/help-release-build.txt"]);
    assert.eq(help(&["release", "publish"]), file!["snapshots/help-release-publish.txt"]);
    assert.eq(help(&["reproduce"]), file!["snapshots/help-reproduce.txt"]);
    assert.eq(help(&["image", "push"]), file!["snapshots/help-image-push.txt"]);
    assert.eq(help(&["image", "show"]), file!["snapshots/help-image-show.txt"]);
    assert.eq(help(&["doctor"]), file!["snapshots/help-doctor.txt"]);
    assert.eq(help(&["bump-snapshot"]), file!["snapshots/help-bump-snapshot.txt"]);
    assert.eq(help(&["bump-submodule"]), file!["snapshots/help-bump-submodule.txt"]);
    assert.eq(help(&["bump-image"]), file!["snapshots/help-bump-image.txt"]);
    assert.eq(help(&["check"]), file!["snapshots/help-check.txt"]);
    assert.eq(help(&["clean"]), file!["snapshots/help-clean.txt"]);
    assert.eq(help(&["test"]), file!["snapshots/help-test.txt"]);
}

#[test]
fn usage_errors_exit_2() {
    let checkout = Checkout::new("usage");
    run(&mut checkout.xtask(["frobnicate"])).exits(2).says("unrecognized subcommand");
    run(&mut checkout.xtask(["iso", "cannary"])).exits(2).says("there are: base, canary");
    run(&mut checkout.xtask(["iso", "../canary"])).exits(2).says("no recipe");
    run(&mut checkout.xtask(["iso", "canary", "--engine", "k8s"])).exits(2).says("possible values");
    run(&mut checkout.xtask(["iso", "canary", "--image", "Bad Name"]))
        .exits(2)
        .says("not an image reference");
    run(&mut checkout.xtask(["iso", "canary", "--ca-file", "nowhere.pem"]))
        .exits(2)
        .says("nowhere.pem");
}

#[test]
fn what_only_some_recipes_have_is_refused_for_the_others() {
    let checkout = Checkout::new("options");
    let iso = |words: &[&str]| run(checkout.xtask(["iso"]).args(words));
    iso(&["canary", "--flavor", "x"]).exits(2).says("recipe canary makes but one image");
    iso(&["canary", "--upstream", "/"]).exits(2).says("does not build from derivative-maker");
    iso(&["canary", "--reuse-packages"]).exits(2).says("recipe canary builds no packages");
    iso(&["base", "--flavor", "kde"])
        .exits(2)
        .says("no flavor `kde`: expected one of kicksecure-lxqt, kicksecure-cli");
    iso(&["base", "--upstream", "/"]).exits(2).says("/ is no checkout of derivative-maker");
    checkout.edit("linux/build/config/silvermetal-base.conf", "kicksecure-lxqt\"", "kde\"");
    iso(&["base"]).exits(3).says("silvermetal-base.conf: recipe base has no flavor `kde`");
}

#[test]
fn inputs_that_cannot_be_built_from_are_said_all_at_once() {
    let checkout = Checkout::new("inputs");
    let kept = checkout.root.with_file_name("kept");
    let iso = |words: &[&str]| {
        let mut command = checkout.xtask(["iso", "canary"]);
        run(command.args(words).arg("--from-inputs").arg(&kept))
    };
    iso(&[]).exits(2).says("--from-inputs takes a folder that --save-inputs made");
    iso(&["--mirror", "http://127.0.0.1:9/debian"]).exits(2).says("cannot be used with");
    fs::create_dir(&kept).unwrap();
    fs::write(kept.join("manifest"), "Format: something else\n").unwrap();
    iso(&[]).exits(3).says("expected Format: silvermetal-inputs/1");
    let gone = "a".repeat(64);
    let manifest = format!(
        "Format: silvermetal-inputs/1\nRecipe: base\nSnapshot: 20250101T000000Z\n\
         Commit: {gone}\nFiles:\n {gone} 7 debian/pool/x.deb\n"
    );
    fs::write(kept.join("manifest"), manifest).unwrap();
    iso(&["--engine", "host"])
        .exits(3)
        .says("they say Recipe base, this one canary")
        .says("they say Snapshot 20250101T000000Z, this one 20260508T000000Z")
        .says("debian/pool/x.deb: missing or unreadable")
        .says("engine host has no package cache of its own");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn outside_a_checkout_is_said() {
    let checkout = Checkout::new("outside");
    run(checkout.xtask(["iso"]).current_dir("/")).exits(3).says("not in a SilverMetal checkout");
}

/// The pinned moment of the snapshot archive.
fn stamp(checkout: &Checkout) -> String {
    let pin =
        fs::read_to_string(checkout.root.join("linux/build/config/snapshot-pin.env")).unwrap();
    pin.lines().find_map(|line| line.strip_prefix("SNAPSHOT_STAMP=")).unwrap().to_owned()
}

#[test]
fn the_plan_of_base_names_every_flag_of_the_contract() {
    let checkout = Checkout::new("plan, with a comma");
    let mut command = checkout.xtask(["iso", "--dry-run", "--engine", "docker"]);
    let plan = run(command.env("PATH", checkout.path_with("docker", STUB))).exits(0).stdout;
    let argv = plan.lines().find(|l| l.contains("docker run")).expect("a docker run line");
    for flag in [
        "--rm --name silvermetal-base-",
        "--hostname silvermetal-builder --add-host silvermetal-builder:127.0.0.1",
        "--privileged --cgroupns=host --tmpfs /run --tmpfs /run/lock -v /sys/fs/cgroup:/sys/fs/cgroup:rw -t ",
        "--stop-signal SIGRTMIN+3",
        "--env LC_ALL=C.UTF-8 --env TZ=UTC",
        &format!("--env SOURCE_DATE_EPOCH={COMMIT_TIME}"),
        "MKSQUASHFS_OPTIONS=",
        &format!("/archive/debian/{}", stamp(&checkout)),
        "target=/home/user/derivative-maker,readonly",
        "target=/home/user/recipe,readonly",
        "target=/home/user/conf,readonly",
        "target=/home/user/out",
        "source=silvermetal-apt-cache,target=/var/cache/approx-derivative-maker",
        "silvermetal-builder:",
    ] {
        assert!(argv.contains(flag), "{flag} is not in\n{argv}");
    }
    assert!(argv.contains(r#"'type=bind,"source="#), "a comma in the path is quoted: {argv}");
    assert_eq!(checkout.output_names(), [""; 0], "a dry run changes nothing");
}

#[test]
fn base_with_nothing_lists_everything_at_once_and_changes_nothing() {
    let checkout = Checkout::new("nothing");
    checkout.edit("linux/build/recipes/base/recipe.toml", "disk_gib = ", "disk_gib = 90000");
    checkout.edit("linux/build/recipes/base/recipe.toml", "ram_gib = ", "ram_gib = 9000");
    let dead = checkout.path_with("docker", "#!/bin/sh\necho 'Cannot connect' >&2; exit 1\n");
    let mut command = checkout.xtask(["iso", "--engine", "docker"]);
    // a port that nothing listens on
    command.env("PATH", dead).env("APT_SNAPSHOT_URL", "http://127.0.0.1:9/archive");
    run(&mut command)
        .exits(3)
        .says("engine docker does not answer")
        .says("the pinned snapshot does not answer")
        .says("derivative-maker is not initialised")
        .says("git submodule update --init --recursive linux/build/derivative-maker")
        .says("not enough disk")
        .says("not enough memory")
        .says("not ready: 5 problems");
    assert_eq!(checkout.output_names(), [""; 0]);
}

/// State and words of every rule that doctor speaks of.
fn doctors_report(doctor: &mut Command, code: i32) -> BTreeMap<String, (String, String)> {
    let report: Value = serde_json::from_str(&run(doctor).exits(code).stdout).unwrap();
    let word = |rule: &Value, name: &str| rule[name].as_str().unwrap().to_owned();
    let rules = report["rules"].as_array().unwrap().iter();
    rules.map(|r| (word(r, "rule"), (word(r, "state"), word(r, "found")))).collect()
}

#[test]
fn doctor_says_of_every_rule_what_is_the_case_or_why_it_did_not_look() {
    let checkout = Checkout::new("doctor");
    let dead = checkout.path_with("docker", "#!/bin/sh\necho 'Cannot connect' >&2; exit 1\n");
    // a port that nothing listens on
    checkout.edit("Cargo.toml", "https://git.silverlabs.uk/", "https://127.0.0.1:9/");
    checkout.commit();
    git(&checkout.root, &["tag", "v0.0.1"]);
    let mirror = mirror_peer();
    let mut doctor =
        checkout.xtask(["doctor", "canary", "--json", "--engine", "docker", "--mirror", &mirror]);
    doctor.env("PATH", &dead).env("SILVERMETAL_RELEASE_TOKEN", "hunter2-doctor");
    let report = doctors_report(&mut doctor, 3);
    assert_eq!(report.len(), DOCTOR.len());
    for (rule, state, words) in [
        ("engine-answers", "broken", "engine docker does not answer"),
        ("contract-start", "skipped", "no engine answers"),
        ("package-cache", "skipped", "no engine answers"),
        ("mirror", "ok", "the mirror of --mirror answers"),
        ("release-tag", "broken", "tag v0.0.1 is not the version in Cargo.toml"),
        ("release-token", "broken", "https://127.0.0.1:9/api/v1/repos/"),
        ("docker-config", "ok", "can be read"),
    ] {
        let found = &report[rule];
        assert!(found.0 == state && found.1.contains(words), "{rule}: {found:?}");
    }
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn faults_in_the_pins_are_named_with_file_and_line() {
    let checkout = Checkout::new("pins");
    let fault = |file: &str, text: &str, says: &str| {
        let path = checkout.root.join(file);
        let good = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        run(&mut checkout.xtask(["iso", "canary", "--dry-run"])).exits(3).says(says);
        fs::write(&path, good).unwrap();
    };
    fault(
        "linux/build/config/snapshot-pin.env",
        "SNAPSHOT_URL=http://h/a\r\nSNAP=1\n",
        "snapshot-pin.env:1: CRLF",
    );
    fault(
        "linux/build/config/snapshot-pin.env",
        "SNAPSHOT_URL=http://h/a\n",
        "SNAPSHOT_STAMP is missing",
    );
    fault(
        "linux/build/config/snapshot-pin.env",
        "SNAPSHOT_URL=http://h/a\nSNAPSHOT_STAMP=2026\n",
        "not a snapshot stamp",
    );
    fault(
        "linux/build/config/source-date-epoch.env",
        "SOURCE_DATE_EPOCH=yesterday\n",
        "expected seconds since 1970",
    );
    fault(
        "linux/build/config/silvermetal-base.conf",
        "MKSQUASHFS_OPTIONS=\"-all-time 1\"\n",
        "silvermetal-base.conf:1: -all-time",
    );
    fault("linux/build/scripts/build.sh", "#!/bin/bash\n", "build.sh: expected one line");
    fault(
        "linux/build/recipes/canary/recipe.toml",
        "description = 1\n",
        "recipe.toml:1: `description`: expected a string",
    );
}

#[test]
fn a_build_is_published_whole_with_its_records() {
    let checkout = Checkout::new("records");
    // what the container leaves; the ledger's artefacts are all there
    let script = r#"
        mkdir -p "$out/records"; echo "hello 1 amd64" >"$out/records/packages.txt"
        echo "$(printf '%064d' 1)  debian/dists/trixie/InRelease" >"$out/records/inrelease.txt"
        echo "mksquashfs 4.6" >"$out/records/tools.txt"
        tar cf "$out/rootfs.tar" -T /dev/null
        for f in vmlinuz initrd.img filesystem.squashfs efi.img; do echo x >"$out/$f"; done
        echo iso >"$out/silvermetal-canary.iso"
        for s in $(printf '%s\n' "$@" | sed '1,/\/home\/user\/recipe\/build/d'); do echo "@@stage $s"; done"#;
    let ran = run(&mut iso_with_stub(&checkout, script)).exits(0);
    let short = support::git(&checkout.root, &["rev-parse", "--short=7", "HEAD"]);
    let folder = checkout.output().join(format!("canary-{}", short.trim()));
    assert_eq!(checkout.output_names(), [format!("canary-{}", short.trim())]);
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let (hash, _) = sums.split_once("  silvermetal-canary.iso\n").unwrap();
    assert_eq!(
        ran.stdout,
        format!("{hash}  {}\n", folder.join("silvermetal-canary.iso").display())
    );
    let info = fs::read_to_string(folder.join("BUILD_INFO")).unwrap();
    for line in [
        "Recipe: canary",
        "Tree: clean",
        "Engine: docker",
        "Apt-Pinned: no",
        &format!("Source-Date-Epoch: {COMMIT_TIME}"),
        "InRelease:\n 000",
        "Packages: 1",
        &format!("Iso-Sha256: {hash}"),
    ] {
        assert!(info.contains(line), "{line} is not in\n{info}");
    }
    assert!(fs::read_to_string(folder.join("ledger")).unwrap().lines().count() > 5);
    assert!(fs::read_to_string(folder.join("logs/build.log")).unwrap().contains("@@stage rootfs"));
}

#[test]
fn a_failure_names_stage_exit_code_last_lines_and_log() {
    let checkout = Checkout::new("failure");
    let ran = run(&mut iso_with_stub(
        &checkout,
        "printf '@@stage rootfs\\r\\nthe reason\\r\\n'; exit 42",
    ));
    let ran = ran.exits(4).says("stage rootfs failed (exit 42)").says("the reason").says("log: ");
    let log = ran.stderr.lines().find_map(|l| l.trim().strip_prefix("log: ")).unwrap();
    assert!(fs::read_to_string(log).unwrap().contains("the reason"));
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn an_engine_that_fails_is_not_taken_for_the_recipe() {
    let checkout = Checkout::new("engine");
    for (code, says) in [
        (125, "could not run the container"),
        (127, "could not start the recipe's entry"),
        (130, "shut down from outside"),
        (137, "was killed"),
    ] {
        run(&mut iso_with_stub(&checkout, &format!("exit {code}"))).exits(4).says(says);
    }
    run(&mut iso_with_stub(&checkout, "echo '@@stage iso'; exit 0")).exits(4).says("did not leave");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn success_without_an_iso_is_a_failure() {
    let checkout = Checkout::new("noiso");
    run(&mut iso_with_stub(&checkout, "exit 0")).exits(4).says("left no ISO");
    run(&mut iso_with_stub(&checkout, "ln -s /etc/passwd \"$out/silvermetal-canary.iso\""))
        .exits(4)
        .says("left no ISO");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn an_image_that_is_nowhere_is_not_ready() {
    let checkout = Checkout::new("image");
    let stub = STUB
        .replace("echo sha256:stub", "exit 1")
        .replace("*) ;;", "pull*) echo 'no such host' >&2; exit 1 ;;");
    let digest = format!("registry.invalid:5000/silvermetal-builder@sha256:{}", "a".repeat(64));
    let iso = |image: &str| {
        let mut command = checkout.xtask([
            "iso",
            "canary",
            "--engine",
            "docker",
            "--image",
            image,
            "--mirror",
            &mirror_peer(),
        ]);
        command.env("PATH", checkout.path_with("docker", &stub));
        run(&mut command).exits(3)
    };
    iso(&digest).says("cannot be pulled: no such host").says("cargo xtask image build");
    iso("local").says("is not built").says("--image REGISTRY/silvermetal-builder@sha256:…");
    iso("registry.invalid:5000/x:tag").says("names no digest to pull");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn a_dirty_tree_is_built_beside_and_recorded() {
    let checkout = Checkout::new("dirty");
    fs::write(checkout.root.join("docs/new.md"), "x").unwrap();
    let plan = run(checkout
        .xtask(["iso", "canary", "--dry-run", "--engine", "docker"])
        .env("PATH", checkout.path_with("docker", STUB)));
    assert!(plan.exits(0).stdout.contains("-dirty"));
}

#[test]
fn the_alias_works_in_a_worktree_with_blanks_from_any_folder() {
    let checkout = Checkout::new("main tree");
    let tree = checkout.root.with_file_name("a work tree");
    support::git(
        &checkout.root,
        &["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()],
    );
    for folder in ["", "docs", "linux/build/scripts"] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(tree.join(folder)).args([
            "xtask",
            "iso",
            "canary",
            "--dry-run",
            "--engine",
            "docker",
        ]);
        // the dependencies are built once for all of these tests
        cargo.env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/alias"));
        cargo.env_remove("CARGO_MANIFEST_DIR").env("PATH", checkout.path_with("docker", STUB));
        let plan = run(&mut cargo).exits(0).stdout;
        assert!(plan.contains("a work tree/linux/build/output/.work-canary-"), "{plan}");
    }
}

#[test]
fn diagnose_runs_diffoscope_in_the_builder_image_of_an_engine_that_has_it() {
    let checkout = Checkout::new("diagnose, with a comma");
    let [a, b] = ["a", "b"].map(|side| {
        let tree = checkout.root.with_file_name(side);
        fs::create_dir_all(&tree).unwrap();
        let end = if side == "a" { "on a mat" } else { "in the sun" };
        fs::write(tree.join("poem"), format!("the cat sat\n{end}\n")).unwrap();
        tree
    });
    let mut diagnose = checkout.xtask(["diagnose", "--json"]);
    let diagnose = diagnose.args([&a, &b]).env("PATH", checkout.path_with("docker", STUB));
    let ran = run(diagnose.env("RUN", "echo 'v diffoscope 1'; echo \"t $*\"; echo '= 1 1'"));
    let json: Value = serde_json::from_str(&ran.exits(1).stdout).unwrap();
    let said = &json["diffoscope"];
    assert_eq!(said["version"], "diffoscope 1, the builder image's", "{said:#}");
    let argv = said["files"][0]["text"].as_str().unwrap();
    for part in ["--network none", "--cap-drop ALL", "--entrypoint bash", " -c "] {
        assert!(argv.contains(part), "{part} is not in {argv}");
    }
}
