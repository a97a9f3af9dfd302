//! The CI workflow under act, on the private engine, with a registry and the canary.

mod runner;

use crate::machine::Machine;
use crate::support::running::Running;
use crate::support::{Checkout, run};
use runner::{REPOSITORY, Runner};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A hook that makes the root file system differ from build to build.
const SABOTAGE: &str = "date +%N >\"$1/etc/when\"\n";

/// Writes the event of a pull request from a branch of `repository`.
fn pull_request(file: &Path, repository: &str) -> PathBuf {
    let event = json!({
        "repository": { "full_name": REPOSITORY },
        "pull_request": {
            "number": 1,
            "head": { "ref": "change", "repo": { "full_name": repository } },
            "base": { "ref": "main" },
        },
    });
    fs::write(file, event.to_string()).unwrap();
    file.to_owned()
}

/// Field `name` of a BUILD_INFO.
fn field(build: &Path, name: &str) -> String {
    let info = fs::read_to_string(build.join("BUILD_INFO")).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in\n{info}")).to_owned()
}

/// Names of the entries of a folder.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// One test, because the runs share a registry and the traces of earlier runs, as on a real runner.
#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn the_workflow_runs_end_to_end() {
    let machine = Machine::get();
    let runner = Runner::start(&machine);
    let checkout = Checkout::new("ci");
    let ours = pull_request(&checkout.root.with_file_name("ours.json"), REPOSITORY);
    let strangers = pull_request(&checkout.root.with_file_name("theirs.json"), "someone/else");

    // a fork may not use the runner
    let mut act = runner.act(&checkout, "pull_request", &["-e", strangers.to_str().unwrap()]);
    let ran = runner.runs("fork", &mut act).exits(0);
    assert!(!ran.stderr.contains("Set up job"), "{}", ran.stderr);

    // check → build and push the image → pass its digest on → verify → artifacts
    let mut act = runner.act(&checkout, "pull_request", &["-e", ours.to_str().unwrap()]);
    runner.runs("first", &mut act).exits(0).says(" pushed: ");
    let pushed = runner.pushed();
    assert_eq!(names(&runner.artifacts()), ["iso"]);
    let iso = runner.artifacts().join("iso");
    assert!(fs::read_to_string(iso.join("verify.txt")).unwrap().starts_with("identical: "));
    let build = iso.join("build-a");
    let image = format!("{}@{pushed}", runner.repository());
    assert_eq!(field(&build, "Builder-Image"), image);
    assert_eq!(field(&build, "Recipe"), "canary");
    assert_eq!(field(&build, "Tree"), "clean");
    run(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&build)).exits(0);

    // cancelled during a build
    let by_hand = ["--input", "recipe=canary", "--input", "machines=1"];
    let mut cancelled = Running::start(&mut runner.act(&checkout, "workflow_dispatch", &by_hand));
    cancelled.until("[build-iso-linux/build-and-verify]   ❓  ::group::rootfs");
    assert_eq!(runner.containers().len(), 2, "the job's and the builder");
    cancelled.signal("INT");
    runner.ended("cancelled", cancelled.ends()).exits(1).says("ending process");
    assert_eq!(names(&runner.artifacts()), [""; 0]);

    // two jobs, as on two runners; the image exists already
    let apart = ["--input", "recipe=canary", "--input", "machines=2"];
    let mut act = runner.act(&checkout, "workflow_dispatch", &apart);
    runner.runs("apart", &mut act).exits(0).says(" already in the registry: ").says("identical: ");
    assert_eq!(names(&runner.artifacts()), ["build-a", "build-b"]);
    let both = ["build-a", "build-b"].map(|name| runner.artifacts().join(name));
    let [a, b] = both.map(|build| fs::read(build.join("SHA256SUMS")).unwrap());
    assert_eq!(a, b);

    // not reproducible: the run fails and gives the reason
    let customize = checkout.root.join("linux/build/recipes/canary/hooks/customize");
    let hook = fs::read_to_string(&customize).unwrap();
    fs::write(&customize, format!("{hook}{SABOTAGE}")).unwrap();
    checkout.commit();
    let mut act = runner.act(&checkout, "schedule", &[]);
    runner.runs("sabotaged", &mut act).exits(1).says(" already in the registry: ");
    assert_eq!(runner.pushed(), pushed);
    assert_eq!(names(&runner.artifacts()), ["diagnosis"]);
    let diagnosis = runner.artifacts().join("diagnosis");
    let verdict: Value =
        serde_json::from_slice(&fs::read(diagnosis.join("verify.json")).unwrap()).unwrap();
    assert_eq!(verdict["verdict"], "differs");
    assert_eq!(verdict["stage"], "rootfs");
    let page = fs::read_to_string(diagnosis.join("diagnosis.html")).expect("a diagnosis");
    assert!(page.contains("etc/when"), "{page}");
    runner.end();
}
