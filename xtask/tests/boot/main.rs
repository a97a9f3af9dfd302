//! `boot` in QEMU: the canary reaches its login prompt under both firmwares, and a guest that draws what a desktop
//! draws is recognized.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails; it makes its image with xorriso"
)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Checkout, run};

#[test]
#[ignore = "needs root and QEMU: cargo xtask test --full"]
fn the_canary_boots_to_a_login_prompt_and_a_desktop_is_recognized() {
    let checkout = Checkout::new("boot me, please");
    let built = run(&mut checkout.xtask(["iso", "canary", "--engine", "host"])).exits(0).stdout;
    let iso = built.trim_end().split_once("  ").unwrap().1.to_owned();
    let booted = run(&mut checkout.xtask(["boot", &iso, "--timeout", "900"])).exits(0).stdout;
    for firmware in ["bios", "uefi"] {
        let line = booted.lines().find(|line| line.starts_with(firmware));
        assert!(line.is_some_and(|line| line.contains("login prompt")), "{booted}");
        let dir = Path::new(&iso).with_file_name("boot");
        let screen = fs::read(dir.join(format!("{firmware}.png"))).unwrap();
        assert!(screen.starts_with(b"\x89PNG\r\n"), "{firmware}: not a PNG");
        // a screen with text; an empty one compresses to far less
        assert!(screen.len() > 2000, "{firmware}: {} bytes", screen.len());
        let serial = fs::read(dir.join(format!("{firmware}.serial.log"))).unwrap();
        let serial = String::from_utf8_lossy(&serial);
        assert!(serial.contains("silvermetal-canary login:"), "{firmware}: {serial}");
    }

    let desktop = checkout.root.with_file_name("desktop.iso");
    with_a_desktop(Path::new(&iso), &desktop);
    let boot = ["boot", desktop.to_str().unwrap(), "--timeout", "900", "--json"];
    let ran = run(&mut checkout.xtask(boot)).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    for firmware in json["firmwares"].as_array().unwrap() {
        let found = (&firmware["outcome"], &firmware["saw"]);
        assert_eq!(found, (&"boots".into(), &"desktop".into()), "{json}");
    }
}

/// Makes an image whose kernel starts a program that draws a panel and a pointer, out of the canary's kernel and
/// file system. Only drawing is a stand-in: the screen, the mouse and their drivers are those of any guest.
fn with_a_desktop(canary: &Path, image: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boot");
    let menu = image.with_file_name("grub.cfg");
    fs::write(&menu, MENU).unwrap();
    let mut make = Command::new("xorriso");
    make.arg("-indev").arg(canary).arg("-outdev").arg(image).args(["-boot_image", "any", "replay"]);
    make.arg("-map").arg(here.join("draws-a-desktop")).arg("/draws-a-desktop");
    make.args(["-chmod", "0755", "/draws-a-desktop", "--"]);
    run(make.arg("-map").arg(&menu).arg("/boot/grub/grub.cfg")).exits(0);
}

/// The boot menu of that image.
const MENU: &str = "set timeout=0
menuentry desktop {
    linux /live/vmlinuz boot=live loglevel=1 vt.global_cursor_default=0 init_on_alloc=0 init=/run/live/medium/draws-a-desktop
    initrd /live/initrd.img
}
";

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

/// A boot sector that reads some megabytes of its disc, writes a letter, and waits for ever: it shows no
/// prompt and no desktop, and says nothing on the serial console.
const SILENT: [u8; 42] = [
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0xb9, 48, 0,    // mov cx, 48
    0x51, // again: push cx
    0xbe, 0x1a, 0x7c, // mov si, packet
    0xb4, 0x42, // mov ah, 42h: extended read
    0xcd, 0x13, // int 13h
    0x59, // pop cx
    0xe2, 0xf5, // loop again
    0xb8, b'X', 0x0e, // mov ax, 0e58h: teletype
    0xcd, 0x10, // int 10h
    0xf4, // wait: hlt
    0xeb, 0xfd, // jmp wait
    // packet: 30 sectors of 2 KiB to 2000:0000, from the first one
    16, 0, 30, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0,
];

#[test]
#[ignore = "needs QEMU: cargo xtask test --full"]
fn an_image_that_shows_no_sign_is_neither_booting_nor_broken() {
    let checkout = Checkout::new("silent");
    let tree = checkout.root.with_file_name("tree");
    fs::create_dir(&tree).unwrap();
    let sector = [&SILENT[..], &[0; 2048 - SILENT.len()]].concat();
    fs::write(tree.join("boot.img"), sector).unwrap();
    fs::write(tree.join("more"), vec![b'm'; 1 << 20]).unwrap();
    let iso = checkout.root.with_file_name("silent.iso");
    let mut make = Command::new("xorriso");
    make.args(["-as", "mkisofs", "-quiet", "-b", "boot.img", "-no-emul-boot"]);
    run(make.args(["-boot-load-size", "4", "-o"]).args([&iso, &tree])).exits(0);
    let boot = ["boot", iso.to_str().unwrap(), "--firmware", "bios", "--timeout", "45", "--json"];
    let ran = run(&mut checkout.xtask(boot))
        .exits(1)
        .says("silent.iso may boot or not:\n  bios: cannot tell: ");
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let bios = &json["firmwares"][0];
    assert_eq!(
        (&bios["outcome"], &bios["boots"]),
        (&"cannot tell".into(), &false.into()),
        "{json}"
    );
    let why = bios["why"].as_str().unwrap();
    assert!(
        why.contains(
            "the screen shows no known login prompt, no panel and no pointer that follows"
        ),
        "{why}"
    );
    for picture in ["bios.png", "bios.30s.png"] {
        let png = fs::read(iso.with_file_name("boot").join(picture)).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n"), "{picture}: not a PNG");
    }
    // the next run replaces them all
    run(&mut checkout.xtask([&boot[..4], &["--timeout", "5"]].concat())).exits(1);
    assert!(!iso.with_file_name("boot").join("bios.30s.png").exists());
}
