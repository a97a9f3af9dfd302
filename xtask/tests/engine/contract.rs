//! The environment of a recipe's entry, and how its exit code is reported.

use crate::interrupted::{WAITS, go, ready};
use crate::machine::Machine;
use crate::support::{COMMIT_TIME, Checkout, run};
use std::fs;
use std::path::Path;

const CA: &str = include_str!("ca.pem");
const RUBBISH: &str = "hunter2-contract";

/// Adds a recipe `name` of two stages, whose entry is contract.sh.
fn contract(checkout: &Checkout, name: &str) {
    let epoch = checkout.root.join("linux/build/config/source-date-epoch.env");
    fs::write(epoch, format!("SOURCE_DATE_EPOCH={}\n", COMMIT_TIME + 7)).unwrap();
    let recipe = checkout.root.join("linux/build/recipes").join(name);
    fs::create_dir_all(&recipe).unwrap();
    fs::write(recipe.join("rubbish"), RUBBISH).unwrap();
    checkout.add_recipe(name, &["one", "two"], include_str!("contract.sh"));
}

/// The mirror that a build on this machine would use, for `--mirror`.
pub fn mirror(checkout: &Checkout) -> String {
    // the plan names it even if something else is not ready
    let plan = ["iso", "canary", "--engine", "private", "--dry-run", "-v"];
    let plan = run(&mut checkout.xtask(plan));
    let word =
        plan.stdout.split([' ', '\'']).find_map(|w| w.strip_prefix("SILVERMETAL_UPSTREAM_DEBIAN="));
    word.expect("a mirror in the plan").to_owned()
}

fn holds(engine: &str, name: &str) {
    let machine = Machine::get();
    let checkout = Checkout::new("a contract, ünder test");
    contract(&checkout, name);
    let keyring = checkout.root.with_file_name("key, ring.gpg");
    fs::copy("/usr/share/keyrings/debian-archive-keyring.gpg", &keyring).unwrap();
    let ca = checkout.root.with_file_name("ca.pem");
    fs::write(&ca, CA).unwrap();
    let mut iso =
        checkout.xtask(["iso", name, "-v", "--engine", engine, "--mirror", &mirror(&checkout)]);
    iso.arg("--mirror-keyring").arg(&keyring).arg("--ca-file").arg(&ca);
    iso.env("TOKEN", RUBBISH)
        .env("SILVERMETAL_TOKEN", RUBBISH)
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("TZ", "Asia/Kathmandu");
    let ran = run(&mut iso);
    let broken: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("FAIL ")).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    ran.exits(0);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_container_keeps_the_contract() {
    holds("private", "contract");
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn engine_host_keeps_the_contract() {
    holds("host", "contract-host");
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn the_image_refuses_flags_with_which_it_would_hang() {
    let machine = Machine::get();
    let holder = Checkout::new("holder");
    holder.add_recipe("waits", &["one"], WAITS);
    let engine = ready(&holder, "waits", "private", &[]);
    let start = |flags: &[&str], command: &[&str]| {
        run(machine.docker().args(["run", "--rm"]).args(flags).arg(&machine.image).args(command))
    };
    start(&[], &["true"]).exits(2).says("no terminal: run the container with -t");
    let refused = start(&["-t"], &[]).exits(2);
    assert!(refused.stdout.contains("no command"), "{refused:?}");
    let refused = start(&["-t", "--init"], &["true"]).exits(2);
    assert!(refused.stdout.contains("do not use --init"), "{refused:?}");
    let refused = start(&["-t", "--env", "SILVERMETAL_ISO=a\nhunter2"], &["true"]).exits(2);
    assert!(refused.stdout.contains("SILVERMETAL_ISO holds a line break"), "{refused:?}");
    assert!(!refused.stdout.contains("hunter2"), "{refused:?}");
    let boot = ["-t", "--privileged", "--tmpfs", "/run", "--tmpfs", "/run/lock"];
    let own = ["--cgroupns=private", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw"];
    let refused = start(&[&boot[..], &own].concat(), &["true"]).exits(2);
    assert!(refused.stdout.contains("run with --cgroupns=host"), "{refused:?}");
    let v1 = ["--cgroupns=host", "--tmpfs", "/sys/fs/cgroup"];
    let refused = start(&[&boot[..], &v1].concat(), &["true"]).exits(2);
    assert!(refused.stdout.contains("no cgroup v2 on /sys/fs/cgroup"), "{refused:?}");
    go(&holder.output());
    engine.ends().exits(0);
    machine.has_no_traces();
}

fn failing(engine: &str, cases: &[(&str, &str, &str)]) {
    let machine = Machine::get();
    let checkout = Checkout::new("failing");
    for (n, (end, says, why)) in cases.iter().enumerate() {
        let name = format!("failing{n}");
        // a process in the background must not keep the container running
        let script = format!(
            "#!/bin/bash\nsetsid sleep 4321 &\necho '@@stage one'\necho the reason >&2\n{end}\n"
        );
        checkout.add_recipe(&name, &["one"], &script);
        let ran = run(&mut checkout.xtask(["iso", &name, "--engine", engine]))
            .exits(4)
            .says(says)
            .says(why)
            .says("log: ");
        let log = ran
            .stderr
            .lines()
            .find_map(|l| l.trim().strip_prefix("log: "))
            .expect("the log's path");
        assert!(fs::read_to_string(log).unwrap().contains("the reason"), "{log}");
        fs::remove_file(Path::new(log)).unwrap();
        assert_eq!(ran.stdout, "");
        assert_eq!(checkout.output_names(), [""; 0]);
        machine.has_no_traces();
    }
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn the_exit_code_of_a_container_is_reported() {
    failing(
        "private",
        &[
            ("exit 42", "stage one failed (exit 42)", "the reason"),
            ("exit 1", "stage one failed (exit 1)", "the reason"),
            ("exit 255", "stage one failed (exit 255)", "the reason"),
            ("kill -KILL $$", "stage one: the container was killed", "(exit 137)"),
            ("exit 0", "made no ISO: expected failing4.iso", "the reason"),
        ],
    );
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn the_exit_code_on_engine_host_is_reported() {
    failing(
        "host",
        &[
            ("exit 42", "stage one failed (exit 42)", "the reason"),
            ("exit 255", "stage one failed (exit 255)", "the reason"),
            ("kill -KILL $BASHPID; exit 3", "stage one failed", "the reason"),
            ("exit 0", "made no ISO: expected failing3.iso", "the reason"),
        ],
    );
}
