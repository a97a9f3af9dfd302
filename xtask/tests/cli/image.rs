//! `reproduce --rebuild-image` with a stub of docker. A rebuild itself needs a mirror: mmdebstrap gets a PATH of its own.

use crate::json::BUILDS;
use crate::support::{Checkout, STUB, git, mirror_peer, run};
use std::process::Command;

/// Stands for dpkg-query: all packages are installed.
const INSTALLED: &str = r#"#!/bin/bash
for word; do printf '%s installed\n' "$word"; done
"#;

/// A checkout, and the stubs.
struct Stubs {
    checkout: Checkout,
    mirror: String,
    /// The file that keeps the image.
    kept: std::path::PathBuf,
}

impl Stubs {
    fn new(name: &str) -> Stubs {
        let checkout = Checkout::new(name);
        let kept = checkout.own_inputs();
        checkout.path_with("dpkg-query", INSTALLED);
        Stubs { checkout, mirror: mirror_peer(), kept }
    }

    /// Runs xtask; docker saves an image of this user.
    fn xtask(&self, user: &str, words: &[&str]) -> Command {
        let own = format!("\"config\":{{\"User\":\"{user}\"}}");
        let docker = STUB.replace("\"config\":{}", &own);
        assert_ne!(docker, STUB);
        let path = self.checkout.path_with("docker", &docker);
        let mut command = self.checkout.xtask(words);
        command.args(["--engine", "docker", "--mirror", &self.mirror]);
        command.env("PATH", path).env("RUN", BUILDS).env("EXTRA", "");
        command
    }
}

impl Drop for Stubs {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.kept));
    }
}

#[test]
fn the_plan_says_which_digest_a_rebuilt_image_must_have() {
    let stubs = Stubs::new("rebuild-image");
    let at = |name: &str| stubs.checkout.root.with_file_name(name).to_str().unwrap().to_owned();
    run(&mut stubs.xtask("one", &["image", "build"])).exits(0);
    run(&mut stubs.xtask("one", &["verify", "canary", "--output", &at("v")])).exits(0);
    git(&stubs.checkout.root, &["tag", "test-1"]);
    let release =
        ["release", "build", "test-1", "--test", "--from", &at("v"), "--output", &at("r")];
    run(&mut stubs.checkout.xtask(release)).exits(0);
    let info = std::fs::read_to_string(format!("{}/BUILD_INFO", at("r"))).unwrap();
    assert!(info.contains("\nBuilder-Image-Digest: sha256:"), "{info}");

    let plan = ["reproduce", &at("r"), "--rebuild-image", "--dry-run", "--output", &at("dry")];
    let plan = run(&mut stubs.xtask("one", &plan));
    assert!(
        plan.stdout.contains("first rebuilt from nothing; must have sha256:"),
        "{}",
        plan.stdout
    );
}
