//! `bump-submodule --rehearse`, with a stub of docker. A rehearsal never writes the pin.

use crate::stand_in::{self, LOCAL_SUBMODULES};
use crate::support::{Checkout, Ran, STUB, git, mirror_peer, run};
use crate::upstream::{SUBMODULE, Upstream, pinned, status};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A checkout with stand-ins of the recipes, and an upstream whose revision 2.0 is the candidate.
struct Rehearsal {
    checkout: Checkout,
    upstream: Upstream,
    mirror: String,
    path: String,
    pin: String,
}

impl Rehearsal {
    fn new(name: &str) -> Rehearsal {
        let checkout = Checkout::new(name);
        let upstream = Upstream::of(&checkout);
        stand_in::recipes(&checkout, "#!/bin/sh\n");
        stand_in::derivative_maker(&upstream.dir);
        stand_in::next_version(&upstream.dir, "2.0");
        fs::write(&upstream.config, LOCAL_SUBMODULES).unwrap();
        let path = checkout.path_with("docker", STUB);
        let pin = pinned(&checkout);
        Rehearsal { checkout, upstream, mirror: mirror_peer(), path, pin }
    }

    /// Runs a command whose containers are those of `stand_in::in_a_stub`.
    fn xtask(&self, words: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.checkout.xtask(words);
        command.args(["--engine", "docker", "--mirror", &self.mirror]);
        command.env("PATH", &self.path).env("RUN", stand_in::in_a_stub());
        command.env("GIT_CONFIG_GLOBAL", &self.upstream.config);
        run(command.envs(variables.iter().copied()))
    }

    fn rehearse(&self, words: &[&str]) -> Ran {
        let ran = self.xtask(&[&["bump-submodule", "--rehearse"], words].concat(), &[]);
        self.pin_stays();
        ran
    }

    /// The pin, and everything else that git knows, is as it was, and no work folder is left.
    #[track_caller]
    fn pin_stays(&self) {
        assert_eq!(pinned(&self.checkout), self.pin);
        assert_eq!(status(&self.checkout.root), "");
        let left = self.checkout.output_names();
        assert!(!left.iter().any(|name| name.starts_with(".work")), "{left:?}");
    }

    fn commit(&self) -> String {
        self.upstream.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }
}

#[test]
fn fallen_anchors_stop_a_rehearsal_and_all_are_listed() {
    let checkout = Checkout::new("fallen");
    let upstream = Upstream::of(&checkout);
    upstream.commit("second");
    let pin = pinned(&checkout);
    // the real levers, none of which this upstream has
    let anchors = fs::read_to_string(checkout.root.join("linux/build/recipes/base/levers.toml"));
    let anchors = anchors.unwrap().matches("[[lever.anchor]]").count();
    for more in [&[][..], &["--dry-run"]] {
        let words = [&["master", "--rehearse"], more].concat();
        let ran = upstream.bump(&checkout, &words).exits(1);
        let ran =
            ran.says("anchors of levers fell at master: nothing was built, and the pin stays");
        let fallen: usize = ran.stdout.lines().filter(|line| line.starts_with("  base: ")).count();
        assert!(fallen > 20 && fallen <= anchors, "{fallen} of {anchors}:\n{}", ran.stdout);
        let json = upstream.bump(&checkout, &[&words[..], &["--json"]].concat()).exits(1).stdout;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["rehearsal"]["outcome"], "anchors fell");
        let unread = json["levers_not_read"].as_array().unwrap().len();
        assert_eq!(json["levers_fallen"].as_array().unwrap().len() + unread, fallen);
    }
    assert_eq!((pinned(&checkout), status(&checkout.root)), (pin, String::new()));
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn a_dry_run_prints_the_plan_and_makes_no_copy() {
    let rehearsal = Rehearsal::new("a plan");
    let commit = rehearsal.commit();
    // exit code 3 is that of a target folder that lies on no disk's file system
    let ran = rehearsal.rehearse(&["2.0", "--dry-run", "-v"]);
    assert!([0, 3].contains(&ran.code), "{ran:?}");
    let output = rehearsal.checkout.output().join(format!("candidate-{}", &commit[..7]));
    for line in [
        &format!("candidate  {commit} (2.0), in a copy with its 2 submodules"),
        "checks     upstream's own: all\n",
        "canary     recipe canary, engine docker: ",
        &format!(
            "image      recipe base, flavor kicksecure-lxqt, engine docker: {}",
            output.display()
        ),
        "against    nothing: there is no image of recipe base, flavor kicksecure-lxqt, in ",
        "# copy the candidate\n",
        "submodule --quiet update --init --recursive -- packages/kicksecure/two\n",
        "# canary: build\n",
        "# candidate: build\n",
        "SILVERMETAL_UPSTREAM=submodule",
        "# inspect the image\ndiagnose inspect --recipe base --flavor kicksecure-lxqt ",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    assert_eq!(rehearsal.checkout.output_names(), [""; 0]);

    // a commit without a tag is built, and only the check of the tag is off
    rehearsal.upstream.commit("untagged");
    let ran = rehearsal.rehearse(&["master", "--dry-run", "-v", "--flavor", "kicksecure-cli"]);
    for line in [
        "checks     upstream's own: all but that of the tag, because there is none",
        "SILVERMETAL_UPSTREAM=untagged",
        "flavor kicksecure-cli, engine",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    let json = rehearsal.rehearse(&["2.0", "--dry-run", "--json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["rehearsal"]["outcome"], &json["dry_run"]),
        (&"planned".into(), &true.into())
    );
    assert_eq!(json["rehearsal"]["plan"]["command"], "bump-submodule");
}

#[test]
fn what_a_rehearsal_cannot_use_is_refused() {
    let rehearsal = Rehearsal::new("refused");
    let dry = |words: &[&str]| rehearsal.rehearse(&[words, &["--dry-run"]].concat());
    dry(&["2.0", "--against", "nowhere.iso"]).exits(2).says("--against").says("no such file");
    dry(&["2.0", "--flavor", "kde"]).exits(2).says("no flavor `kde`");
    rehearsal.upstream.git(&["commit", "--quiet", "--allow-empty", "-m", "x"]);
    rehearsal.upstream.git(&["tag", "light"]);
    dry(&["light"])
        .exits(3)
        .says("derivative-maker's own check refuses the candidate: tag light is a lightweight tag");
    let output = rehearsal.checkout.output().join("mine");
    fs::create_dir_all(&output).unwrap();
    fs::write(output.join("base.iso"), "x").unwrap();
    let output = output.to_str().unwrap();
    dry(&["2.0", "--output", output]).exits(3).says("mine");
    let image = format!("{output}/base.iso");
    dry(&["2.0", "--output", output, "--against", &image])
        .exits(3)
        .says("is in the folder that a build of the rehearsal replaces");
    // without --rehearse nothing is built
    for words in
        [&["--engine", "docker"][..], &["--setup"], &["--against", "x"], &["--output", "x"]]
    {
        let words = [&["2.0"], words].concat();
        rehearsal.upstream.bump(&rehearsal.checkout, &words).exits(2).says("--rehearse");
    }
}

#[test]
#[ignore = "needs a disk's file system: cargo xtask test --full"]
fn all_submodules_that_cannot_be_had_are_named_before_a_build() {
    let rehearsal = Rehearsal::new("missing");
    for name in ["one", "two"] {
        fs::remove_dir_all(rehearsal.upstream.dir.with_file_name(name)).unwrap();
    }
    rehearsal
        .rehearse(&["2.0"])
        .exits(3)
        .says("not ready: 2 problems")
        .says("the candidate's submodule packages/kicksecure/one cannot be had: fatal: ")
        .says("the candidate's submodule packages/kicksecure/two cannot be had: fatal: ")
        .says("url.BASE.insteadOf");
    assert_eq!(rehearsal.checkout.output_names(), [""; 0]);
}

#[test]
#[ignore = "needs a disk's file system: cargo xtask test --full"]
fn anchors_in_a_submodule_that_moved_are_judged_in_the_copy() {
    let rehearsal = Rehearsal::new("moved");
    let (package, levers) = ("packages/kicksecure/one", "linux/build/recipes/base/levers.toml");
    let read_at = rehearsal.upstream.git(&["rev-parse", &format!("2.0~1:{package}")]);
    let lever = format!(
        "[[lever]]\nname = \"version\"\nwhat = \"it is the first\"\n[[lever.anchor]]\n\
         path = \"{package}/version\"\nlines = [\"1\"]\nheld_at = [\"1.0\"]\nsubmodule_at = \"{}\"\n",
        read_at.trim()
    );
    let levers = rehearsal.checkout.root.join(levers);
    fs::write(&levers, fs::read_to_string(&levers).unwrap() + &lever).unwrap();
    rehearsal.checkout.commit();
    let ran = rehearsal.rehearse(&["2.0"]).exits(1).says("1 anchor of levers fell at 2.0");
    let ran =
        ran.says("lever version: it is the first: packages/kicksecure/one/version: no line `1`");
    assert!(ran.stdout.contains("1 in submodules that moved"), "{}", ran.stdout);
    let json = rehearsal.rehearse(&["2.0", "--json"]).exits(1).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rehearsal"]["fallen"].as_array().unwrap().len(), 1);
    assert_eq!(rehearsal.checkout.output_names(), [""; 0]);
}

#[test]
#[ignore = "needs squashfs-tools, xorriso and a disk's file system: cargo xtask test --full"]
fn the_image_of_the_candidate_is_inspected_and_compared() {
    let rehearsal = Rehearsal::new("compared");
    let (commit, top) = (rehearsal.commit(), rehearsal.upstream.dir.clone());
    // nothing to compare with yet
    let ran = rehearsal.rehearse(&["2.0", "-v"]).exits(0).says("built from submodule");
    for line in [
        "upstream's own checks: all\n",
        "holds the content policy of recipe base\n",
        "root file system live/filesystem.squashfs",
        "compared with nothing: there is no image of recipe base, flavor kicksecure-lxqt, in ",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    let candidate = rehearsal.checkout.output().join(format!("candidate-{}", &commit[..7]));
    let info = fs::read_to_string(candidate.join("BUILD_INFO")).unwrap();
    assert!(info.contains(&format!("Derivative-Maker: {commit} (candidate, sha256:")), "{info}");

    // the last image, from the revision before
    rehearsal.upstream.git(&["checkout", "--quiet", "--detach", "2.0~1"]);
    rehearsal.upstream.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "update"]);
    rehearsal.xtask(&["iso", "base", "--upstream", top.to_str().unwrap()], &[]).exits(0);
    let changes = |ran: &Ran| {
        for line in [
            "1 of 2 packages changed\n  one 1 → 2\n",
            "kernel command line: the same in 0 boot entries; changed:\n  +debug=1\n    in `Live` (boot/grub/grub.cfg)\n",
            "files of the system: 4 came, 0 went\n  came: /usr (4 entries)\n",
            "files of the image: none came or went",
        ] {
            assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
        }
    };
    // the image of the first rehearsal is newer, and is not taken for the last one
    let ran = rehearsal.rehearse(&["2.0"]).exits(0).says("the pin stays as it is: --rehearse");
    changes(&ran);
    assert!(ran.stdout.contains("\nchanges since "), "{}", ran.stdout);
    let json = rehearsal.rehearse(&["2.0", "--json"]).exits(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let told = &json["rehearsal"];
    assert_eq!(
        (&told["outcome"], &told["inspection"]["verdict"]),
        (&"passed".into(), &"holds".into())
    );
    assert_eq!(told["changes"]["changes"][0]["package"], "one");
    assert_eq!(told["image"]["recipe"], "base");
    assert_eq!(told["canary"]["recipe"], "canary");
    let last = PathBuf::from(told["against"].as_str().unwrap());
    assert!(
        last.starts_with(rehearsal.checkout.output()) && last.ends_with("base.iso"),
        "{last:?}"
    );
    let ran = rehearsal.rehearse(&["2.0", "--against", last.parent().unwrap().to_str().unwrap()]);
    changes(&ran.exits(0));
    rehearsal
        .rehearse(&[
            "2.0",
            "--against",
            rehearsal.checkout.root.join("README.md").to_str().unwrap(),
        ])
        .exits(2)
        .says("look at the last image");
}

#[test]
#[ignore = "needs squashfs-tools, xorriso and a disk's file system: cargo xtask test --full"]
fn a_violation_a_failed_canary_and_a_failed_build_have_their_exit_codes() {
    let rehearsal = Rehearsal::new("codes");
    let words = ["bump-submodule", "--rehearse", "2.0"];
    let ran = rehearsal.xtask(&words, &[("CANARY_FAILS", "yes")]).exits(4);
    let ran = ran.says("the canary failed, so it is not the candidate's fault: stage one failed");
    assert!(!ran.stderr.contains("built from"), "{}", ran.stderr);
    rehearsal.pin_stays();

    let top = &rehearsal.upstream.dir;
    fs::write(top.join("parameters"), "quiet\n").unwrap();
    rehearsal.upstream.commit("without slab_nomerge");
    let ran = rehearsal.rehearse(&["master"]).exits(1);
    let ran = ran.says("the candidate's image does not hold its content policy");
    assert!(ran.stdout.contains("lacks slab_nomerge"), "{}", ran.stdout);
    let json = rehearsal.rehearse(&["master", "--json"]).exits(1).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rehearsal"]["outcome"], "policy violated");

    fs::remove_file(top.join("parameters")).unwrap();
    rehearsal.upstream.commit("without parameters");
    rehearsal.rehearse(&["master"]).exits(4).says("the candidate's image was not built: stage one");
    // a submodule of the checkout is never touched: there is none
    let dir = rehearsal.checkout.root.join(SUBMODULE);
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    assert_eq!(git(&rehearsal.checkout.root, &["stash", "list"]), "");
}
