//! `verify --compare`: compares the output folders of two machines.

use crate::factory::Factory;
use crate::support::run;
use std::fs;
use std::path::PathBuf;

/// Builds one commit twice. `extra` runs in the second build.
fn two_builds(extra: &str) -> (Factory, [PathBuf; 2]) {
    let factory = Factory::new();
    let folders = ["a", "b"].map(|name| factory.checkout.output().join(name));
    for (folder, extra) in folders.iter().zip(["", extra]) {
        let words = ["iso", "--engine", "docker", "--output"];
        run(factory.xtask(&words).arg(folder).env("EXTRA", extra)).exits(0);
    }
    (factory, folders)
}

#[test]
fn records_without_an_image_can_be_compared_and_released() {
    let (factory, [a, b]) = two_builds("");
    let compare = || {
        let mut command = factory.xtask(&["verify", "--compare"]);
        command.args([&a, &b]);
        command
    };
    let ran = run(&mut compare()).exits(0);
    assert!(
        ran.stdout.starts_with("identical: ") && ran.stdout.lines().count() == 1,
        "{}",
        ran.stdout
    );
    fs::remove_file(b.join("silvermetal-base.iso")).unwrap();
    let out = factory.checkout.output().join("report");
    let ran = run(compare().arg("--output").arg(&out)).exits(0);
    assert!(ran.stdout.contains("by its record alone"), "{}", ran.stdout);
    fs::rename(&a, out.join("build-a")).unwrap();
    run(factory.xtask(&["release", "build", "--from"]).arg(&out)).exits(0);
}

#[test]
fn the_stage_in_which_two_builds_differ_is_reported() {
    let (factory, [a, b]) = two_builds("echo else >>\"$out/silvermetal-base.iso\"");
    let ran = run(factory.xtask(&["verify", "--json", "--compare"]).args([&a, &b])).exits(1);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["stage"]), (&"differs".into(), &"iso".into()));
    assert_eq!(json["images_hashed"], serde_json::json!([true, true]));
}

#[test]
fn only_two_builds_of_one_commit_are_called_identical() {
    let (factory, [a, b]) = two_builds("");
    let compare =
        |x: &PathBuf, y: &PathBuf| run(factory.xtask(&["verify", "--compare"]).args([x, y]));
    compare(&a, &a).exits(2).says("are the same build");
    let copy = a.with_file_name("copy");
    run(std::process::Command::new("cp").arg("-r").args([&a, &copy])).exits(0);
    compare(&a, &copy).exits(2).says("are the same build");
    compare(&a, &a.with_file_name("nowhere")).exits(2).says("cannot read");
    compare(&a, &factory.checkout.root).exits(2).says("expected the output folder of a build");

    let info = fs::read_to_string(b.join("BUILD_INFO")).unwrap();
    let other = info.replace("Commit: ", "Commit: f").replacen("Commit: f", "Commit: 0", 1);
    fs::write(b.join("BUILD_INFO"), other).unwrap();
    let ran = compare(&a, &b).exits(1);
    assert!(ran.stdout.contains("input: the commit"), "{}", ran.stdout);
    fs::write(b.join("BUILD_INFO"), info).unwrap();
    fs::write(b.join("SHA256SUMS"), format!("{}  silvermetal-base.iso\n", "0".repeat(64))).unwrap();
    compare(&a, &b).exits(4).says("and BUILD_INFO beside it disagree");
}
