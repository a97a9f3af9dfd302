//! Leftovers of killed runs in the kernel: mounts in a work folder, and loop devices on its files.

use crate::support::{Checkout, Ran, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A work folder, as a run that was killed leaves it.
fn killed_run(checkout: &Checkout) -> PathBuf {
    let dir = checkout.output().join(".work-killed");
    fs::create_dir_all(dir.join("out/tmp/chroot/dev")).unwrap();
    fs::write(dir.join("silvermetal.lock"), "").unwrap();
    dir
}

fn as_root(words: &[&str]) -> Ran {
    run(Command::new(words[0]).args(&words[1..])).exits(0)
}

#[test]
#[ignore = "needs root to mount folders: cargo xtask test --full"]
fn a_work_folder_in_which_something_is_mounted_stays_whole() {
    let checkout = Checkout::new("check out");
    let work = killed_run(&checkout);
    let mine = checkout.root.with_file_name("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("diary"), "precious").unwrap();
    let [from, to] =
        [&mine, &work.join("out/tmp/chroot/dev")].map(|dir| dir.to_str().unwrap().to_owned());
    as_root(&["mount", "--bind", &from, &to]);
    let told = run(&mut checkout.xtask(["clean"]));
    as_root(&["umount", &to]);
    assert_eq!(fs::read_to_string(mine.join("diary")).unwrap(), "precious");
    assert!(work.join("out").exists());
    told.exits(0).says(&format!("something is mounted at {to}: unmount it first"));
    run(&mut checkout.xtask(["clean"])).exits(0).says("removed the work folder of killed");
    assert!(!work.exists());
    assert_eq!(fs::read_to_string(mine.join("diary")).unwrap(), "precious");
}

#[test]
#[ignore = "needs root for loop devices: cargo xtask test --full"]
fn loop_devices_on_files_of_a_work_folder_are_detached_and_no_others() {
    let checkout = Checkout::new("check out");
    let work = killed_run(&checkout);
    let attach = |file: &Path| {
        fs::File::create(file).unwrap().set_len(1 << 20).unwrap();
        let told = as_root(&["losetup", "--find", "--show", file.to_str().unwrap()]);
        told.stdout.trim().to_owned()
    };
    let left = attach(&work.join("out/tmp/image.raw"));
    let others = attach(&checkout.root.with_file_name("others.raw"));
    let told = run(&mut checkout.xtask(["clean"]));
    let attached = as_root(&["losetup", "--list", "--noheadings", "--output", "NAME"]).stdout;
    as_root(&["losetup", "--detach", &others]);
    assert!(attached.lines().any(|line| line.trim() == others), "{attached}");
    assert!(attached.lines().all(|line| line.trim() != left), "{attached}");
    told.exits(0).says(&format!("detached {left}, left by a killed run"));
    assert!(!work.exists());
}
