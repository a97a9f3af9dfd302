//! `boot` in QEMU: the canary reaches its login prompt under both firmwares.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use support::{Checkout, run};

#[test]
#[ignore = "needs root and QEMU: cargo xtask test --full"]
fn the_canary_boots_to_a_login_prompt_under_bios_and_uefi() {
    let checkout = Checkout::new("boot me, please");
    let built = run(&mut checkout.xtask(["iso", "canary", "--engine", "host"])).exits(0).stdout;
    let iso = built.trim_end().split_once("  ").unwrap().1.to_owned();
    let booted = run(&mut checkout.xtask(["boot", &iso, "--timeout", "900"])).exits(0).stdout;
    for firmware in ["bios", "uefi"] {
        let line = booted.lines().find(|line| line.starts_with(firmware));
        assert!(line.is_some_and(|line| line.contains("login prompt")), "{booted}");
        let dir = std::path::Path::new(&iso).with_file_name("boot");
        let screen = fs::read(dir.join(format!("{firmware}.png"))).unwrap();
        assert!(screen.starts_with(b"\x89PNG\r\n"), "{firmware}: not a PNG");
        // a screen with text; an empty one compresses to far less
        assert!(screen.len() > 2000, "{firmware}: {} bytes", screen.len());
        let serial = fs::read(dir.join(format!("{firmware}.serial.log"))).unwrap();
        let serial = String::from_utf8_lossy(&serial);
        assert!(serial.contains("silvermetal-canary login:"), "{firmware}: {serial}");
    }
}

#[test]
#[ignore = "needs QEMU: cargo xtask test --full"]
fn an_image_that_does_not_boot_exits_1() {
    let checkout = Checkout::new("noboot");
    let iso = checkout.root.join("garbage.iso");
    let mut bytes = vec![0; 2 << 20];
    bytes[32769..32774].copy_from_slice(b"CD001");
    fs::write(&iso, bytes).unwrap();
    let boot = ["boot", iso.to_str().unwrap(), "--firmware", "bios", "--timeout", "20"];
    run(&mut checkout.xtask(boot)).exits(1);
    run(&mut checkout.xtask(["boot", "nowhere.iso"])).exits(2).says("nowhere.iso");
}
