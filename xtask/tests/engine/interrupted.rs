//! Signals, kills, and an engine that dies: the files and containers left, and their removal.

use crate::machine::{Machine, state};
use crate::support::running::{Running, signal};
use crate::support::{Checkout, Ran, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Prints `ready`, then waits for a file `go` in its out/.
pub const WAITS: &str = "#!/bin/bash\necho '@@stage one'\necho ready\n\
    until [ -e /home/user/out/go ]; do sleep 0.05; done\necho x >\"/home/user/out/$SILVERMETAL_ISO\"\n";
/// Succeeds at once.
pub const FAST: &str =
    "#!/bin/bash\necho '@@stage one'\necho x >\"/home/user/out/$SILVERMETAL_ISO\"\n";
/// Ignores the signals that ask it to end.
const STUBBORN: &str = "#!/bin/bash\ntrap '' INT TERM HUP\necho '@@stage one'\necho ready\n\
    while :; do sleep 0.1; echo x >>/home/user/out/more; done\n";

fn checkout() -> Checkout {
    let checkout = Checkout::new("interrupted");
    checkout.add_recipe("waits", &["one"], WAITS);
    checkout.add_recipe("fast", &["one"], FAST);
    checkout.add_recipe("stubborn", &["one"], STUBBORN);
    checkout
}

/// Starts a build of `recipe`, and waits until it prints `ready`.
pub fn ready(checkout: &Checkout, recipe: &str, engine: &str, more: &[&str]) -> Running {
    let mut iso = checkout.xtask(["iso", recipe, "-v", "--engine", engine]);
    let mut running = Running::start(iso.args(more));
    running.until("ready");
    running
}

/// The only work folder in `outputs`.
fn work_folder(outputs: &Path) -> PathBuf {
    let entries = fs::read_dir(outputs).unwrap().map(|entry| entry.unwrap().path());
    let mut folders =
        entries.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(".work-"));
    folders.next().expect("a work folder")
}

/// Lets the build of [`WAITS`] continue.
pub fn go(outputs: &Path) {
    fs::write(work_folder(outputs).join("out/go"), "").unwrap();
}

fn signalled(engine: &str, cases: &[(&str, &str)]) {
    let machine = Machine::get();
    let checkout = checkout();
    for (name, recipe) in cases {
        let running = ready(&checkout, recipe, engine, &[]);
        running.signal(name);
        let ran = running.ends().exits(130).says("error: interrupted");
        assert_eq!(ran.stdout, "");
        assert_eq!(checkout.output_names(), [""; 0], "after {name}");
        machine.has_no_traces();
    }
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_signal_ends_a_container_and_leaves_nothing() {
    signalled("private", &[("INT", "waits"), ("TERM", "stubborn"), ("HUP", "waits")]);
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_signal_ends_engine_hosts_build_and_leaves_nothing() {
    signalled("host", &[("INT", "waits"), ("TERM", "stubborn"), ("HUP", "waits")]);
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_signal_while_the_engine_starts_leaves_nothing() {
    let machine = Machine::get();
    let checkout = checkout();
    let mut iso = checkout.xtask(["iso", "waits", "--engine", "private", "-v"]);
    let mut running = Running::start(&mut iso);
    running.until_it_runs("unshare");
    running.signal("INT");
    running.ends().exits(130).says("error: interrupted");
    assert_eq!(checkout.output_names(), [""; 0]);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn the_next_run_removes_what_a_killed_one_left() {
    let machine = Machine::get();
    let checkout = checkout();
    ready(&checkout, "waits", "private", &[]).kill();
    let traces = machine.traces().join("\n");
    for left in ["dockerd", "containerd-shim", "bridge sm", "rule -A FORWARD", "note "] {
        assert!(traces.contains(left), "expected {left} in\n{traces}");
    }
    let work = work_folder(&checkout.output());
    run(&mut checkout.xtask(["iso", "fast", "--engine", "private"]))
        .exits(0)
        .says("left by a killed run");
    assert!(!work.exists());
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn clean_removes_what_a_killed_run_left() {
    let machine = Machine::get();
    let checkout = checkout();
    let elsewhere = checkout.root.with_file_name("else, where");
    ready(&checkout, "waits", "private", &["--output", elsewhere.join("result").to_str().unwrap()])
        .kill();
    let work = work_folder(&elsewhere);
    run(&mut checkout.xtask(["clean"]))
        .exits(0)
        .says("removed the work folder of waits-")
        .says("stopped the private engine");
    assert!(!work.exists());
    machine.has_no_traces();
    run(&mut checkout.xtask(["clean"])).exits(0).says("nothing to clean");
    run(&mut checkout.xtask(["iso", "fast", "--engine", "private"])).exits(0);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn on_a_shared_engine_only_the_container_of_the_killed_run_is_removed() {
    let machine = Machine::get();
    // the private engine of this checkout serves the others as the machine's engine
    let holder = checkout();
    let mut engine = ready(&holder, "waits", "private", &[]);
    let mine = checkout();
    let on_it = |command: &mut Command| -> Command {
        let mut shared = Command::new(command.get_program());
        shared.args(command.get_args()).current_dir(&mine.root).env_remove("CARGO_MANIFEST_DIR");
        shared.env("DOCKER_HOST", format!("unix://{}", machine.socket().display()));
        shared
    };
    let containers =
        || run(machine.docker().args(["ps", "--all", "--format", "{{.Names}}"])).exits(0).stdout;
    let killed = || {
        let mut running = Running::start(&mut on_it(
            &mut mine.xtask(["iso", "waits", "-v", "--engine", "docker"]),
        ));
        running.until("ready");
        running.kill();
        let names = containers();
        assert_eq!(names.lines().count(), 2, "a container runs on without its client: {names}");
    };
    killed();
    run(&mut on_it(&mut mine.xtask(["iso", "fast", "--engine", "docker"])))
        .exits(0)
        .says("removed container silvermetal-waits-")
        .says("removed the work folder of waits-");
    assert_eq!(containers().lines().count(), 1);
    killed();
    run(&mut on_it(&mut mine.xtask(["clean"])))
        .exits(0)
        .says("removed container silvermetal-waits-")
        .says("removed the work folder of waits-");
    assert_eq!(containers().lines().count(), 1);
    engine.until("ready");
    go(&holder.output());
    engine.ends().exits(0);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_signal_during_the_image_build_leaves_nothing() {
    let machine = Machine::get();
    let checkout = checkout();
    checkout.edit("linux/build/docker/packages.list", "sudo", "sudo # another image");
    let mut image = checkout.xtask(["image", "build", "--engine", "private", "--setup", "-v"]);
    let mut running = Running::start(&mut image);
    // a step of the base, or of the image itself if a registry serves the base
    running.until_begins(&["base", "image"]);
    let tar = state().join("builder-image/work/base.tar");
    let patience = Instant::now() + Duration::from_secs(60);
    while running.said().contains("base  begins") && !tar.exists() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(20));
    }
    running.signal("INT");
    running.ends().exits(130).says("error: interrupted");
    assert!(!tar.exists());
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn the_step_of_an_interrupted_image_build_is_removed_by_the_next_run() {
    let machine = Machine::get();
    let (interrupted, next) = (checkout(), checkout());
    let build = ready(&interrupted, "waits", "private", &[]);
    // the legacy builder's containers have names of two words, and the labels of the image so far
    run(machine.docker().args(["create", "--name", "lucid_faraday", &machine.image, "true"]))
        .exits(0);
    let label = "org.opencontainers.image.title=theirs";
    let theirs = ["create", "--name", "theirs", "--label", label, &machine.image, "true"];
    run(machine.docker().args(theirs)).exits(0);
    go(&interrupted.output());
    build.ends().exits(0);

    let build = ready(&next, "waits", "private", &[]);
    let mut ps = machine.docker();
    let left = run(ps.args(["ps", "--all", "--format", "{{.Names}}"])).exits(0).stdout;
    assert!(!left.contains("lucid_faraday") && left.contains("theirs"), "{left}");
    run(machine.docker().args(["rm", "theirs"])).exits(0);
    go(&next.output());
    build.ends().exits(0);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_killed_build_on_engine_host_ends_all_its_processes_and_is_swept() {
    let machine = Machine::get();
    let checkout = checkout();
    let running = ready(&checkout, "waits", "host", &[]);
    let traces = machine.traces().join("\n");
    assert!(traces.contains("of a build: /bin/bash /home/user/recipe/build"), "{traces}");
    running.kill();
    // the kernel ends the namespace together with xtask: only files are left
    let patience = Instant::now() + Duration::from_secs(60);
    while machine.traces().iter().any(|trace| !trace.starts_with("note "))
        && Instant::now() < patience
    {
        thread::sleep(Duration::from_millis(20));
    }
    let traces = machine.traces();
    assert!(traces.len() == 1 && traces[0].starts_with("note "), "{traces:?}");
    let work = work_folder(&checkout.output());
    run(&mut checkout.xtask(["iso", "fast", "--engine", "host"]))
        .exits(0)
        .says("removed the work folder of waits-");
    assert!(!work.exists());
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn an_engine_that_dies_during_a_build_is_reported_and_the_next_run_works() {
    let machine = Machine::get();
    let checkout = checkout();
    // the build keeps writing after the engine has died
    let running = ready(&checkout, "stubborn", "private", &[]);
    signal("KILL", machine.daemon());
    let ran: Ran = running
        .ends()
        .exits(4)
        .says("stage one: private could not run the container, or lost it")
        .says("log: ");
    assert_eq!(ran.stdout, "");
    assert_eq!(checkout.output_names(), [""; 0]);
    machine.has_no_traces();
    run(&mut checkout.xtask(["iso", "fast", "--engine", "private"])).exits(0);
    machine.has_no_traces();
    assert!(state().join("logs").exists());
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_container_stopped_from_outside_is_no_failure_of_the_recipe() {
    let machine = Machine::get();
    let checkout = checkout();
    let running = ready(&checkout, "waits", "private", &[]);
    let id = run(machine.docker().args(["ps", "--quiet"])).exits(0).stdout;
    run(machine.docker().args(["stop", id.trim()])).exits(0);
    running.ends().exits(4).says("stage one: the container was shut down from outside (exit 130)");
    assert_eq!(checkout.output_names(), [""; 0]);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn builds_share_the_engine_and_the_last_one_stops_it() {
    let machine = Machine::get();
    let checkouts = [checkout(), checkout()];
    // both start at once, and one of them starts the engine
    let mut runs = checkouts
        .each_ref()
        .map(|c| Running::start(&mut c.xtask(["iso", "waits", "-v", "--engine", "private"])));
    for run in &mut runs {
        run.until("ready");
    }
    let daemon = machine.daemon();
    let [first, second] = runs;
    // a third run does not mistake the first for a killed one
    run(&mut checkouts[0].xtask(["iso", "fast", "--engine", "private"])).exits(0);
    go(&checkouts[0].output());
    first.ends().exits(0);
    assert_eq!(machine.daemon(), daemon, "the other build still needs it");
    go(&checkouts[1].output());
    second.ends().exits(0);
    machine.has_no_traces();
}
