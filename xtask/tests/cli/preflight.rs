//! Preflight, dry runs and `doctor`: problems and plans, without an engine.

use crate::support::{COMMIT_TIME, Checkout, STUB, git, mirror_peer, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use xtask_core::rules::DOCTOR;

#[test]
fn all_faults_of_saved_inputs_are_reported_at_once() {
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
        .says("they were saved with Recipe base, this build has canary")
        .says("they were saved with Snapshot 20250101T000000Z, this build has 20260508T000000Z")
        .says("debian/pool/x.deb: missing or unreadable")
        .says("engine host has no package cache of its own");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn an_upstream_whose_tag_has_no_signature_is_refused_before_the_build() {
    let checkout = Checkout::new("tags");
    let pinned = checkout.root.join("linux/build/derivative-maker");
    let other = checkout.root.with_file_name("upstream");
    for dir in [&pinned, &other] {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("derivative-maker"), "x\n").unwrap();
        git(dir, &["init", "--quiet"]);
        git(dir, &["add", "--all"]);
        git(dir, &["commit", "--quiet", "-m", "upstream"]);
    }
    git(&checkout.root, &["add", "linux/build/derivative-maker"]);
    git(&checkout.root, &["commit", "--quiet", "-m", "another upstream"]);
    let path = checkout.path_with("docker", STUB);
    let iso = |words: &[&str]| {
        let mut command = checkout.xtask(["iso", "base", "--engine", "docker"]);
        run(command.args(words).args(["--mirror", &mirror_peer()]).env("PATH", &path)).exits(3)
    };
    let from = other.to_str().unwrap();
    for (arguments, why) in [
        (&["tag", "1.0"][..], "tag 1.0 is a lightweight tag, which cannot be signed"),
        (&["tag", "-a", "-f", "-m", "not signed", "1.0"], "tag 1.0 has no OpenPGP signature"),
    ] {
        for (dir, words) in [(&pinned, &[][..]), (&other, &["--upstream", from])] {
            git(dir, arguments);
            let refuses = format!("derivative-maker's own check refuses {}: {why}", dir.display());
            iso(words).says(&refuses);
        }
    }
    assert_eq!(checkout.output_names(), [""; 0]);
}

/// The pinned snapshot stamp.
fn stamp(checkout: &Checkout) -> String {
    let pin =
        fs::read_to_string(checkout.root.join("linux/build/config/snapshot-pin.env")).unwrap();
    pin.lines().find_map(|line| line.strip_prefix("SNAPSHOT_STAMP=")).unwrap().to_owned()
}

#[test]
fn the_plan_of_base_has_every_flag_of_the_contract() {
    let checkout = Checkout::new("plan, with a comma");
    let mut command = checkout.xtask(["iso", "--dry-run", "-v", "--engine", "docker"]);
    command.env("PATH", checkout.path_with("docker", STUB));
    // the submodule of the copy is empty: the run would not be ready, either
    let plan = run(&mut command).exits(3).says("derivative-maker is not initialised").stdout;
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
fn all_problems_of_base_are_reported_at_once_and_nothing_changes() {
    let checkout = Checkout::new("nothing");
    checkout.edit("linux/build/recipes/base/recipe.toml", "disk_gib = ", "disk_gib = 90000");
    checkout.edit("linux/build/recipes/base/recipe.toml", "ram_gib = ", "ram_gib = 9000");
    let dead = checkout.path_with("docker", "#!/bin/sh\necho 'Cannot connect' >&2; exit 1\n");
    // the empty folder of a submodule that is not initialised, and none at all
    for there in [true, false] {
        if !there {
            fs::remove_dir(checkout.root.join("linux/build/derivative-maker")).unwrap();
        }
        let mut command = checkout.xtask(["iso", "--engine", "docker"]);
        // a port on which nothing listens
        command.env("PATH", &dead).env("APT_SNAPSHOT_URL", "http://127.0.0.1:9/archive");
        run(&mut command)
            .exits(3)
            .says("engine docker does not answer")
            .says("the pinned snapshot cannot be had")
            .says("derivative-maker is not initialised")
            .says("git submodule update --init --recursive linux/build/derivative-maker")
            .says("not enough disk")
            .says("not enough memory")
            .says("not ready: 5 problems");
    }
    assert_eq!(checkout.output_names(), [""; 0]);
}

/// Runs doctor, and returns state and text of each rule.
pub(crate) fn doctors_report(
    doctor: &mut Command,
    code: i32,
) -> BTreeMap<String, (String, String)> {
    let report: Value = serde_json::from_str(&run(doctor).exits(code).stdout).unwrap();
    let word = |rule: &Value, name: &str| rule[name].as_str().unwrap().to_owned();
    let rules = report["rules"].as_array().unwrap().iter();
    rules.map(|r| (word(r, "rule"), (word(r, "state"), word(r, "found")))).collect()
}

#[test]
fn doctor_reports_every_rule_or_the_reason_for_skipping_it() {
    let checkout = Checkout::new("doctor");
    let dead = checkout.path_with("docker", "#!/bin/sh\necho 'Cannot connect' >&2; exit 1\n");
    // a port on which nothing listens
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
        ("contract-start", "skipped", "no build can run on engine docker"),
        ("package-cache", "skipped", "no build can run on engine docker"),
        ("mirror", "ok", "the mirror of --mirror answers"),
        ("release-tag", "broken", "tag v0.0.1 is not the version in Cargo.toml"),
        ("release-token", "broken", "https://127.0.0.1:9/api/v1/repos/"),
        ("docker-config", "ok", "can be read"),
        (
            "server-version",
            "skipped",
            "the Gitea server could not be asked: GET https://127.0.0.1:9/api/v1/version",
        ),
    ] {
        let found = &report[rule];
        assert!(found.0 == state && found.1.contains(words), "{rule}: {found:?}");
    }
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn faults_in_the_pins_are_reported_with_file_and_line() {
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
fn a_missing_image_is_not_ready() {
    let checkout = Checkout::new("image");
    checkout.own_inputs();
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
    iso("registry.invalid:5000/x:tag").says("without a digest it is not pulled");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn a_dirty_tree_is_built_into_a_folder_of_its_own() {
    let checkout = Checkout::new("dirty");
    fs::write(checkout.root.join("docs/new.md"), "x").unwrap();
    let plan = run(checkout
        .xtask(["iso", "canary", "--dry-run", "--engine", "docker", "--mirror", &mirror_peer()])
        .env("PATH", checkout.path_with("docker", STUB)));
    assert!(plan.exits(0).stdout.contains("-dirty"));
}

#[test]
fn a_dry_run_is_ten_lines_that_a_person_reads() {
    let checkout = Checkout::new("dry");
    let mirror = mirror_peer();
    let dry = |words: &[&str]| {
        let mut command = checkout.xtask(words);
        command.args(["--dry-run", "--engine", "docker", "--mirror", &mirror]);
        run(command.env("PATH", checkout.path_with("docker", STUB)))
    };
    for words in [&["iso", "canary"][..], &["verify", "canary", "--vary", "cpus,path"]] {
        let plan = dry(words).exits(0).stdout;
        assert!((8..=12).contains(&plan.lines().count()), "{plan}");
        for name in ["recipe", "commit", "pins", "packages", "engine", "image", "stages", "result"]
        {
            assert!(plan.lines().any(|line| line.starts_with(name)), "{name} is not in\n{plan}");
        }
        assert!(plan.contains("last time  no build of canary on engine docker is known"), "{plan}");
        assert!(!plan.contains("--privileged"), "{plan}");
    }
    // one that finds a problem ends as the run would
    checkout.edit("linux/build/recipes/canary/recipe.toml", "disk_gib = ", "disk_gib = 90000");
    let ran = dry(&["iso", "canary"]).exits(3).says("not enough disk");
    assert!(ran.stdout.contains("result "), "{}", ran.stdout);
    let json: Value =
        serde_json::from_str(&dry(&["iso", "canary", "--json"]).exits(3).stdout).unwrap();
    assert_eq!((&json["command"], &json["ready"]), (&"iso".into(), &false.into()), "{json:#}");
    assert_eq!(json["problems"][0]["rule"], "disk");
}

#[test]
fn the_plan_says_how_long_the_product_would_take_in_a_machine_of_its_own() {
    let checkout = Checkout::new("machine-time");
    let last_time = |flavor: &str| {
        let mut verify =
            checkout.xtask(["verify", "base", "--vary", "clock,kernel,user", "--dry-run"]);
        let ran = run(verify.args(["--flavor", flavor, "--mirror", &mirror_peer()]));
        let line = |name: &str| {
            let found = ran.stdout.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_else(|| panic!("{name} is not in\n{}", ran.stdout)).trim().to_owned()
        };
        assert!(line("engine").starts_with("vm: "), "{}", ran.stdout);
        // the clock: a live mirror's lists would have expired within the year
        let not_varied = ran.stdout.lines().filter(|line| line.starts_with("not varied")).count();
        assert_eq!(not_varied, 2, "{}", ran.stdout);
        line("last time")
    };
    assert!(last_time("kicksecure-cli").starts_with("no build of base on engine vm is known"));

    let earlier = checkout.output().join("earlier");
    fs::create_dir_all(&earlier).unwrap();
    fs::write(
        earlier.join("BUILD_INFO"),
        "Recipe: base\nEngine: private\nFlavor: kicksecure-cli\n",
    )
    .unwrap();
    let json = r#"{ "started": 1, "seconds": 1800.0, "stages": [] }"#;
    fs::write(earlier.join("build.json"), json).unwrap();
    let said = last_time("kicksecure-cli");
    assert!(said.starts_with("30 min in a container, which is about "), "{said}");
    assert!(said.ends_with(" on engine vm"), "{said}");
    assert!(last_time("kicksecure-lxqt").starts_with("no build of base on engine vm is known"));
}
