//! Problems that prevent or end a build: disks, images, mirrors, the package cache.

use crate::machine::Machine;
use crate::support::disk::Disk;
use crate::support::{Checkout, executable, run};
use std::fs;
use std::process::Command;

/// Runs `iso NAME` on the private engine, with the result on `disk`.
fn onto(checkout: &Checkout, disk: &Disk, name: &str) -> Command {
    let mut iso = checkout.xtask(["iso", name, "--engine", "private", "--output"]);
    iso.arg(disk.dir.join("result"));
    iso
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_full_disk_ends_a_build_and_leaves_no_partial_result() {
    let machine = Machine::get();
    let checkout = Checkout::new("full");
    // the recipe itself fails; or it fills the last block, so that the records fail
    let fill = "#!/bin/bash\necho '@@stage fill'\ncd /home/user/out\nfill() { dd if=/dev/zero bs=$1 >>$SILVERMETAL_ISO; }\n";
    checkout.add_recipe("full", &["fill"], &format!("{fill}fill 1M\n"));
    checkout.add_recipe(
        "brim",
        &["fill"],
        &format!("{fill}for size in 1M 4k 1k 1; do fill $size || sync; done\n"),
    );
    let disk = Disk::new(&checkout.root, 48);
    run(&mut onto(&checkout, &disk, "full"))
        .exits(4)
        .says("stage fill failed (exit 1)")
        .says("No space left on device");
    assert_eq!(disk.names(), [""; 0]);
    run(&mut onto(&checkout, &disk, "brim")).exits(4).says("No space left on device");
    assert_eq!(disk.names(), [""; 0]);
    drop(disk);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_disk_that_cannot_be_written_is_not_ready() {
    let machine = Machine::get();
    let checkout = Checkout::new("read only");
    checkout.add_recipe("fast", &["one"], "#!/bin/bash\nexit 1\n");
    let disk = Disk::new(&checkout.root, 16);
    disk.make_read_only();
    run(&mut onto(&checkout, &disk, "fast"))
        .exits(3)
        .says("Read-only file system")
        .says("--output DIR");
    assert_eq!(disk.names(), [""; 0]);
    drop(disk);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_missing_image_or_mirror_is_not_ready() {
    let machine = Machine::get();
    let checkout = Checkout::new("nowhere");
    let iso = |flag: &str, value: &str| {
        run(&mut checkout.xtask(["iso", "canary", "--engine", "private", flag, value])).exits(3)
    };
    // a port on which nothing listens
    let digest = format!("127.0.0.1:9/silvermetal-builder@sha256:{}", "a".repeat(64));
    iso("--image", &digest)
        .says("cannot be pulled: ")
        .says("cargo xtask image build --engine private");
    iso("--image", "silvermetal-builder:nope")
        .says("no silvermetal-builder:nope")
        .says("cargo xtask image build --engine private");
    iso("--mirror", "http://127.0.0.1:9/debian")
        .says("the mirror of --mirror does not serve trixie");
    assert_eq!(checkout.output_names(), [""; 0]);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_package_cache_that_does_not_answer_is_reported() {
    let machine = Machine::get();
    let checkout = Checkout::new("no cache");
    let recipes = checkout.root.join("linux/build/recipes");
    run(Command::new("cp").arg("-r").args([recipes.join("canary"), recipes.join("mute")])).exits(0);
    checkout.edit("linux/build/recipes/mute/recipe.toml", "entry = \"build\"", "entry = \"mute\"");
    executable(
        &recipes.join("mute/mute"),
        "#!/bin/bash\nsudo -n systemctl stop approx-derivative-maker.socket\nexec /home/user/recipe/build \"$@\"\n",
    );
    checkout.commit();
    run(&mut checkout.xtask(["iso", "mute", "--engine", "private"]))
        .exits(4)
        .says("stage inputs failed (exit 1)")
        .says("cannot fetch http://127.0.0.1:9977/debian/dists/trixie/InRelease")
        .says("the package cache on 127.0.0.1:9977 is not listening");
    assert_eq!(checkout.output_names(), [""; 0]);
    assert!(fs::read_dir(recipes.join("mute")).is_ok());
    machine.has_no_traces();
}
