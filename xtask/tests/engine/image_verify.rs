//! `image build --verify` on the real engine, with a builder image of few packages: the right one, and sabotaged ones.

use crate::machine::{Machine, state};
use crate::support::{Checkout, Ran, run};
use serde_json::Value;
use std::fs;

/// Steps that a Dockerfile must not have. Each leaves one file below var/lib/sabotage.
const SABOTAGE: &str = "
RUN mkdir -m 755 /var/lib/sabotage
RUN umask 022; date >/var/lib/sabotage/date
RUN umask 022; cat /proc/sys/kernel/random/uuid >/var/lib/sabotage/id
RUN umask 022; uname -n >/var/lib/sabotage/host
RUN umask 022; perl -e 'my %h = map { $_ => 1 } \"aa\" .. \"cz\"; print \"$_\\n\" for keys %h' >/var/lib/sabotage/order
RUN echo the same >/var/lib/sabotage/mode
";
const FILES: [&str; 5] = ["date", "id", "host", "order", "mode"];

/// A checkout whose image is built in a minute.
fn few_packages(name: &str) -> Checkout {
    let checkout = Checkout::new(name);
    let list = checkout.root.join("linux/build/docker/packages.list");
    fs::write(list, "sudo\nsystemd\n").unwrap();
    checkout
}

fn verify(checkout: &Checkout) -> (Ran, Value) {
    let args = ["image", "build", "--verify", "--engine", "private", "--setup", "--json"];
    let ran = run(&mut checkout.xtask(args));
    let value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    (ran, value)
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn two_builds_of_the_image_are_identical_and_each_sabotage_is_named() {
    let machine = Machine::get();
    let checkout = few_packages("image verify");
    let (ran, right) = verify(&checkout);
    ran.exits(0);
    assert_eq!((&right["verdict"], &right["a"]), (&"identical".into(), &right["b"]), "{right:#}");
    assert_eq!(
        right["varied"],
        serde_json::json!(["clock", "host-name", "umask", "directory-order"])
    );
    let inputs = right["inputs"].as_str().unwrap().trim_start_matches("sha256:");
    let kept = state().join(format!("builder-image/{}.tar", &inputs[..12]));
    fs::remove_file(kept).unwrap(); // builds would run on it; the machine's other tests have their own

    let dockerfile = checkout.root.join("linux/build/docker/Dockerfile.builder");
    let text = fs::read_to_string(&dockerfile).unwrap();
    fs::write(&dockerfile, text + SABOTAGE).unwrap();
    let (ran, wrong) = verify(&checkout);
    ran.exits(1).says("the two images differ");
    assert_ne!(wrong["a"], wrong["b"], "{wrong:#}");
    let report = wrong["diagnosis"].as_str().unwrap();
    for file in FILES {
        assert!(report.contains(&format!("var/lib/sabotage/{file}")), "{file}:\n{report}");
    }
    for cause in ["[build-time]", "[line-order]", "[random-id]", "[mode]", "[host-name]"] {
        assert!(report.contains(cause), "{cause}:\n{report}");
    }
    for archive in wrong["archives"].as_array().unwrap() {
        fs::remove_file(archive.as_str().unwrap()).unwrap();
    }
    machine.has_no_traces();
}
