//! Inputs that were kept build the same bytes again, with no network; what is wrong with them is
//! said before.

use crate::contract::mirror;
use crate::machine::Machine;
use crate::support::{Checkout, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything in a result that two equal builds have in common.
const REPRODUCIBLE: [&str; 5] =
    ["silvermetal-canary.iso", "BUILD_INFO", "ledger", "SHA256SUMS", "packages.txt"];

fn canary(checkout: &Checkout, inputs: &Path, output: &Path) -> Command {
    let mut command = checkout.xtask(["iso", "canary", "--engine", "private", "--from-inputs"]);
    command.arg(inputs).arg("--output").arg(output);
    command
}

/// Every file below `dir`, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn kept_inputs_build_the_same_bytes_without_a_network() {
    let machine = Machine::get();
    let checkout = Checkout::new("inputs, kept");
    let outer = checkout.root.parent().unwrap();
    let (inputs, first, again) = (outer.join("kept, ünder"), outer.join("a"), outer.join("b"));
    let mut save = checkout.xtask(["iso", "canary", "--engine", "private", "--save-inputs"]);
    save.arg(&inputs).arg("--output").arg(&first).args(["--mirror", &mirror(&checkout)]);
    run(&mut save).exits(0);

    let plan = run(canary(&checkout, &inputs, &again).arg("--dry-run")).exits(0).stdout;
    let argv = plan.lines().find(|line| line.contains("docker") && line.contains(" run ")).unwrap();
    for flag in ["--network none", "SILVERMETAL_APT_OFFLINE=yes", "inputs.invalid"] {
        assert!(argv.contains(flag), "{flag} is not in\n{argv}");
    }
    run(&mut canary(&checkout, &inputs, &again)).exits(0).says("no network");
    for name in REPRODUCIBLE {
        let same = fs::read(first.join(name)).unwrap() == fs::read(again.join(name)).unwrap();
        assert!(same, "{name} differs");
    }

    // damage is named, all of it, before anything runs
    let objects = files(&inputs.join("objects"));
    fs::write(&objects[0], "x").unwrap();
    fs::remove_file(&objects[1]).unwrap();
    let image = inputs.join("builder-image.tar");
    fs::rename(&image, image.with_extension("away")).unwrap();
    run(&mut canary(&checkout, &inputs, &outer.join("c")))
        .exits(3)
        .says("content changed")
        .says("missing or unreadable");
    assert!(!outer.join("c").exists());
    machine.has_no_traces();
}
