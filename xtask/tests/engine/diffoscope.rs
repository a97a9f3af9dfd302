//! diffoscope from the builder image, for differences that `diagnose` cannot explain.

use crate::machine::{Machine, state};
use crate::support::running::Running;
use crate::support::{Checkout, Ran, run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Makes two trees with `files` files whose differences no rule explains.
fn trees(checkout: &Checkout, files: usize) -> [PathBuf; 2] {
    ["a", "b"].map(|side| {
        let tree = checkout.root.with_file_name(side);
        fs::create_dir_all(tree.join("etc")).unwrap();
        let end = if side == "a" { "on a mat" } else { "in the sun" };
        for n in 1..=files {
            let text = format!("the cat sat\n{end}, {n}\n");
            fs::write(tree.join(format!("etc/poem-{n}")), text).unwrap();
        }
        tree
    })
}

fn outcome(ran: &Ran) -> Value {
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    json["diffoscope"].clone()
}

/// Fails if extracted files of the images are left.
#[track_caller]
fn has_no_extracts(machine: &Machine) {
    let entries = fs::read_dir(state()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> =
        entries.filter(|name| name.to_string_lossy().starts_with("diffoscope-")).collect();
    assert!(left.is_empty(), "{left:?}");
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn diffoscope_compares_unexplained_files_and_leaves_nothing() {
    let machine = Machine::get();
    let checkout = Checkout::new("a checkout, unexplained");
    let pair = trees(&checkout, 1);
    fs::write(pair[0].join("etc/machine-id"), "5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1").unwrap();
    fs::write(pair[1].join("etc/machine-id"), "9a31d0e24a1146cda1c6a5f3ce8d7b20").unwrap();
    let page = checkout.root.with_file_name("page.html");
    let diagnose = || checkout.xtask(["diagnose", "--json", "--diffoscope", "always"]);
    let ran = run(diagnose().arg("--html").arg(&page).args(&pair)).exits(1);
    let outcome = outcome(&ran);
    assert!(outcome["version"].as_str().unwrap().contains("the builder image's"), "{outcome:#}");
    assert_eq!(outcome["cut"], serde_json::json!([]), "{outcome:#}");
    assert_eq!(outcome["files"].as_array().unwrap().len(), 1, "machine-id is explained");
    let file = &outcome["files"][0];
    assert_eq!(file["place"], "etc/poem-1");
    assert!(file["text"].as_str().unwrap().contains("\n+in the sun, 1"), "{file:#}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(" sandbox=\"\" srcdoc="), "its own page is in ours");
    has_no_extracts(&machine);
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn files_beyond_the_time_budget_are_reported() {
    let machine = Machine::get();
    let checkout = Checkout::new("budget");
    let pair = trees(&checkout, 40);
    let always = ["diagnose", "--json", "--diffoscope", "always", "--budget", "2s"];
    let ran = run(checkout.xtask(always).args(&pair)).exits(1);
    let outcome = outcome(&ran);
    let cut = outcome["cut"].as_array().unwrap();
    assert!(cut.iter().any(|why| why.as_str().unwrap().contains("budget of 2 s")), "{outcome:#}");
    assert!(outcome["files"].as_array().unwrap().len() < 40, "{outcome:#}");
    has_no_extracts(&machine);
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn an_interrupted_diffoscope_leaves_nothing() {
    let machine = Machine::get();
    let checkout = Checkout::new("interrupted");
    let pair = trees(&checkout, 40);
    let mut diagnose = checkout.xtask(["diagnose", "--diffoscope", "always"]);
    let mut running = Running::start(diagnose.args(&pair));
    running.until("note: diffoscope looks at");
    running.signal("TERM");
    running.ends().exits(130);
    has_no_extracts(&machine);
}
