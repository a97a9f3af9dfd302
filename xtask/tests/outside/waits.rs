//! A signal ends every kind of wait.

use crate::support::Checkout;
use crate::support::peer::Peer;
use crate::support::running::Running;
use std::time::Duration;

#[test]
fn a_short_command_that_hangs_ends_with_us() {
    let checkout = Checkout::new("waits");
    let started = checkout.root.with_file_name("started");
    let script = format!("#!/bin/sh\ntouch '{}'\nexec sleep 100000\n", started.display());
    let path = checkout.path_with("git", &script);
    let running = Running::start(checkout.xtask(["check"]).env("PATH", path));
    while !started.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal("TERM");
    // the test's own timeout ends a hang
    assert_eq!(running.ends().code, 130);
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
