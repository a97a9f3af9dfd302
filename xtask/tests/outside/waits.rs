//! A signal ends every kind of wait.

use crate::support::peer::Peer;
use crate::support::running::{Running, signal};
use crate::support::{Checkout, snapshot_peer};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A git that hangs, and a file that it makes first.
fn hanging_git(checkout: &Checkout) -> (String, PathBuf) {
    let started = checkout.root.with_file_name("started");
    let script = format!("#!/bin/sh\ntouch '{}'\nexec sleep 100000\n", started.display());
    (checkout.path_with("git", &script), started)
}

fn wait_for(started: &Path) {
    while !started.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_short_command_that_hangs_ends_with_us() {
    let checkout = Checkout::new("waits");
    let (path, started) = hanging_git(&checkout);
    let running = Running::start(checkout.xtask(["check"]).env("PATH", path));
    wait_for(&started);
    running.signal("TERM");
    // the test's own timeout ends a hang
    assert_eq!(running.ends().code, 130);
}

#[test]
fn a_signal_ends_a_run_whose_terminal_is_gone() {
    let checkout = Checkout::new("waits");
    let (path, started) = hanging_git(&checkout);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut check = checkout.xtask(["check"]);
    let mut child = check.env("PATH", path).stderr(writer).spawn().unwrap();
    wait_for(&started);
    signal("HUP", child.id());
    let deadline = Instant::now() + Duration::from_secs(120);
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                panic!("the signal did not end it");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(ended, Some(130));
}

#[test]
fn a_server_that_says_nothing_ends_with_us() {
    let checkout = Checkout::new("waits");
    let peer = Peer::new(|_, _| {
        loop {
            std::thread::park();
        }
    });
    let url = format!("http://{}/o/r/releases/tag/v1.1.0", peer.host);
    let running = Running::start(&mut checkout.xtask(["reproduce", &url]));
    while peer.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal("TERM");
    assert_eq!(running.ends().code, 130);
}

/// An engine whose client hangs in `verb`. Its `stop` does nothing; $SAYS names a file that it makes first.
const HANGS: &str = r#"#!/bin/bash
case "$1 $2" in
    "version --format") echo 28.0.0 ;;
    "info --format") echo 2 ;;
    "image inspect") [ "$VERB" != pull ] && echo sha256:stub ;;
    "$VERB "*) touch "$SAYS"; trap '' TERM INT HUP; while :; do sleep 0.1; done ;;
    inspect*) exit 1 ;;
    "stop --time") sleep 0.1 ;;
    *) ;;
esac
"#;

#[test]
fn a_container_that_does_not_stop_ends_with_us() {
    let checkout = Checkout::new("waits");
    let started = checkout.root.with_file_name("started");
    let path = checkout.path_with("docker", HANGS);
    let mut iso = checkout.xtask(["iso", "canary", "--engine", "docker"]);
    iso.env("PATH", path).env("APT_SNAPSHOT_URL", snapshot_peer());
    iso.env("VERB", "run").env("SAYS", &started);
    let running = Running::start(&mut iso);
    wait_for(&started);
    running.signal("TERM");
    assert_eq!(running.ends().code, 130);
}
