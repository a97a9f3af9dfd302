//! Saved inputs give the same bytes elsewhere, without a network. Damage is reported before the build.

use crate::contract::mirror;
use crate::machine::Machine;
use crate::reproducible::two_clones;
use crate::support::{Checkout, run};
use std::fs;
use std::path::{Path, PathBuf};

/// All files below `dir`, sorted.
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
fn a_clone_without_a_network_gives_the_same_bytes_on_the_private_engine() {
    let machine = Machine::get();
    let checkout = Checkout::new("inputs, kept");
    let inputs = checkout.root.with_file_name("kept, ünder");
    let kept = inputs.to_str().unwrap();
    let save = ["--save-inputs", kept, "--mirror", &mirror(&checkout)];
    let [_, elsewhere] = two_clones(&machine, "private", [&save, &["--from-inputs", kept]]);

    let again = elsewhere.root.with_file_name("again");
    let canary = |more: &[&str]| {
        let words = ["iso", "canary", "--engine", "private", "--from-inputs", kept, "--output"];
        run(elsewhere.xtask(words).arg(&again).args(more))
    };
    let plan = canary(&["--dry-run", "-v"]).exits(0).stdout;
    let argv = plan.lines().find(|line| line.contains("docker") && line.contains(" run ")).unwrap();
    for flag in ["--network none", "SILVERMETAL_APT_OFFLINE=yes", "inputs.invalid"] {
        assert!(argv.contains(flag), "{flag} is not in\n{argv}");
    }

    // all damage is reported before the build starts
    let objects = files(&inputs.join("objects"));
    fs::write(&objects[0], "x").unwrap();
    fs::remove_file(&objects[1]).unwrap();
    let image = inputs.join("builder-image.tar");
    fs::rename(&image, image.with_extension("away")).unwrap();
    canary(&[]).exits(3).says("content changed").says("missing or unreadable");
    assert!(!again.exists());
    machine.has_no_traces();
}
