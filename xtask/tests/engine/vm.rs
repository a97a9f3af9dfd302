//! Engine vm: the builder image under QEMU, with a recipe that builds in a moment. Emulated, a build takes about
//! two minutes, nearly all of it for the boot.

use crate::machine::{Machine, state};
use crate::support::{Checkout, Ran, run, snapshot_peer};
use serde_json::Value;
use std::fs;

/// The recipe's one stage makes a tree, in which `sabotage` runs.
fn entry(sabotage: &str) -> String {
    format!(
        r#"#!/bin/bash
set -euo pipefail
umask 022
out=$SILVERMETAL_HOME/out tree=$SILVERMETAL_HOME/out/tmp/tree
mkdir -p "$out/records" "$tree/etc"
echo '@@stage rootfs'
mknod "$tree/null" c 1 3 2>/dev/null || sudo mknod "$tree/null" c 1 3
cd "$tree"
echo one >etc/one
{sabotage}
find . -exec sudo touch -h -d "@$SOURCE_DATE_EPOCH" {{}} +
tar --sort=name --numeric-owner --format=posix \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -cf "$out/rootfs.tar" -C "$tree" .
echo "pkg 1 amd64" >"$out/records/packages.txt"
/usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root \
    download-file "$SILVERMETAL_APT_DEBIAN/dists/trixie/InRelease" "$out/tmp/InRelease"
sha256sum <"$out/tmp/InRelease" | sed 's#-$#debian/dists/trixie/InRelease#' >"$out/records/inrelease.txt"
cp "$out/rootfs.tar" "$out/$SILVERMETAL_ISO"
"#
    )
}

fn verify(sabotage: &str, args: &[&str]) -> (Ran, Value) {
    let checkout = Checkout::new("vm");
    checkout.add_recipe("tiny", &["rootfs"], &entry(sabotage));
    checkout.edit(
        "linux/build/recipes/tiny/recipe.toml",
        "produces = []",
        "produces = [\"rootfs.tar\"]",
    );
    checkout.commit();
    let mut verify = checkout.xtask(["verify", "tiny", "--setup"]);
    // a pinned archive, because the lists of a live mirror expire under another clock
    let ran = run(verify.args(args).env("APT_SNAPSHOT_URL", snapshot_peer()));
    let names = checkout.output_names();
    let folder = names.iter().find(|name| name.starts_with("verify-")).expect("a verify folder");
    let text = fs::read_to_string(checkout.output().join(folder).join("verify.json")).unwrap();
    (ran, serde_json::from_str(&text).unwrap())
}

#[test]
#[ignore = "needs QEMU and a builder image: cargo xtask test --full"]
fn another_clock_kernel_and_cpu_are_measured_inside() {
    let machine = Machine::get();
    let (ran, json) = verify("", &["--vary", "clock,kernel,cpu-model"]);
    let said = ran.exits(0).stdout;
    assert!(said.contains("build B varied: clock, kernel, cpu-model\n"), "{said}");
    let of = |build: &str, key: &str| json["measured"][build][key].as_str().unwrap().to_owned();
    for key in ["date", "kernel", "cpu"] {
        assert_ne!(of("a", key), of("b", key), "{key}");
    }
    let year = |build: &str| of(build, "date")[..4].parse::<i32>().unwrap();
    assert!(year("b") > year("a"), "{said}");
    assert_eq!((&json["engine"], &json["not_varied"]), (&"vm".into(), &serde_json::json!([])));
    machine.has_no_traces();
}

#[test]
#[ignore = "needs QEMU and a builder image: cargo xtask test --full"]
fn the_guilty_clock_and_kernel_are_found() {
    let machine = Machine::get();
    for (sabotage, factor) in [("uname -r >etc/kernel", "kernel"), ("date +%Y >etc/year", "clock")]
    {
        let (ran, json) = verify(sabotage, &["--vary", "clock,kernel", "--bisect", "--fail-fast"]);
        let said = ran.exits(1).stdout;
        assert!(said.contains(&format!("guilty: {factor}\n")), "{said}");
        assert_eq!(json["guilty"], factor);
        machine.has_no_traces();
    }
}

#[test]
#[ignore = "needs QEMU and a builder image: cargo xtask test --full"]
fn the_exit_code_comes_back() {
    let machine = Machine::get();
    let (checkout, peer) = (Checkout::new("vm-fails"), snapshot_peer());
    checkout.add_recipe("fails", &["rootfs"], "#!/bin/bash\necho '@@stage rootfs'\nexit 42\n");
    // the advice for a machine without a kernel works, also where --setup is refused (--from-inputs)
    drop(fs::remove_dir_all(state().join("vm/kernels")));
    let iso = || {
        let mut iso = checkout.xtask(["iso", "fails", "--engine", "vm"]);
        run(iso.env("APT_SNAPSHOT_URL", &peer))
    };
    iso().exits(3).says("fix: get it: cargo xtask doctor canary --setup --engine vm");
    let mut doctor = checkout.xtask(["doctor", "canary", "--setup", "--engine", "vm"]);
    run(doctor.env("APT_SNAPSHOT_URL", &peer)); // it may find another fault of this machine
    let ran = iso().exits(4);
    assert!(ran.stderr.contains("stage rootfs failed (exit 42)"), "{}", ran.stderr);
    machine.has_no_traces();
}
