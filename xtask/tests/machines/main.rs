//! The machines that people have: Debian 12, 13 and forky; with Docker's packages, podman, systemd, a plain
//! user. `cargo xtask test --machines` runs these tests; they take half an hour or more, so CI does not.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start xtask and its peers"
)]

mod other_engines;
mod root;
#[path = "../support/mod.rs"]
mod support;

use root::Debian;

const SUITES: [&str; 3] = ["bookworm", "trixie", "forky"];

/// `doctor --setup` with an image that no registry serves: it installs the engine's packages and starts it, and
/// builds no image.
fn prepare(machine: &Debian, engine: &str) -> support::Ran {
    let image = format!("127.0.0.1:9/x@sha256:{}", "a".repeat(64));
    machine.xtask(&format!("doctor canary --setup -v --engine {engine} --image {image}"))
}

/// Asserts that `--setup` works on this machine, removes nothing and enables nothing.
#[track_caller]
fn setup_adds_only_packages(machine: &Debian) {
    let (packages, enabled) = (machine.packages(), machine.enabled());
    let ran = prepare(machine, "private");
    let answers = ran.stdout.lines().find(|line| line.contains("engine-answers"));
    assert!(answers.is_some_and(|line| line.starts_with("ok")), "{}\n{}", ran.stdout, ran.stderr);
    let after = machine.packages();
    let removed: Vec<&String> = packages.iter().filter(|name| !after.contains(name)).collect();
    assert!(removed.is_empty(), "removed: {removed:?}");
    assert_eq!(machine.enabled(), enabled, "{}", ran.stderr);
    assert_eq!(machine.sh("ls /usr/sbin/policy-rc.d").code, 2, "a policy was left");
}

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_setup_works_on_every_debian_and_enables_nothing() {
    for suite in SUITES {
        let machine = Debian::new(suite, &[]);
        println!("{suite}");
        setup_adds_only_packages(&machine);
    }
}

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_setup_under_systemd_starts_no_service() {
    for suite in ["bookworm", "trixie"] {
        let mut machine = Debian::new(suite, &["systemd-sysv", "dbus", "iproute2"]);
        machine.boot();
        setup_adds_only_packages(&machine);
        let state = |verb: &str| machine.sh(&format!("systemctl {verb} docker containerd")).stdout;
        assert_eq!(state("is-active"), "inactive\ninactive\n", "{suite}");
        assert_eq!(state("is-enabled"), "disabled\ndisabled\n", "{suite}");
        // a service that somebody starts later changes nothing
        let plan = machine.xtask("iso canary --dry-run").stdout;
        assert!(plan.contains("an earlier --setup prepared it"), "{plan}");
    }
}

/// Packages with the names and relations of Docker's, and stand-ins for its programs.
const DOCKER_CE: &str = r#"
set -e
package() {
    mkdir -p "$1/DEBIAN" "$1/usr/bin"
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: t <t@example.org>\n%s\nDescription: a stand-in\n' \
        "$1" "$2" "$3" >"$1/DEBIAN/control"
    for program in $4; do
        printf '#!/bin/sh\nexit 1\n' >"$1/usr/bin/$program"
        chmod 755 "$1/usr/bin/$program"
    done
    dpkg-deb --build --root-owner-group "$1" >/dev/null
}
mkdir -p /tmp/ce && cd /tmp/ce
package docker-ce-cli 5:29.0.1-1 'Conflicts: docker, docker-engine, docker.io
Replaces: docker-ce (<< 5:0), docker, docker.io' docker
package containerd.io 2.1.5-1 'Provides: containerd, runc
Conflicts: containerd, runc
Replaces: containerd, runc' 'containerd runc'
package docker-ce 5:29.0.1-1 'Depends: containerd.io (>= 1.6.24), docker-ce-cli, iptables
Conflicts: docker (<< 1.5~), docker.io, lxc-docker
Replaces: docker (<< 1.5~), docker.io' dockerd
apt-get update -qq
apt-get install -qq --yes --no-install-recommends ./*.deb
"#;

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_docker_ce_is_taken_and_never_removed() {
    let machine = Debian::new("trixie", &[]);
    machine.sh(DOCKER_CE).exits(0);
    let before = machine.packages();
    let plan = machine.xtask("iso canary --setup --dry-run -v --engine private").stdout;
    let missing = plan.lines().find(|line| line.starts_with("missing")).unwrap_or_default();
    assert!(!missing.contains("docker"), "{missing}");
    prepare(&machine, "private");
    // a part of it: Debian's package would replace the rest
    machine.sh("rm /usr/bin/docker").exits(0);
    prepare(&machine, "private").exits(3).says("remove is disabled").says("--setup removes none");
    let after = machine.packages();
    for name in &before {
        assert!(after.contains(name), "{name} was removed");
    }
}

/// A container that a CI job left in podman. The limits are for a host whose own are lower than podman's.
const LEFT_BY_A_JOB: &str = r#"
mkdir -p /etc/containers /tmp/left/bin
printf '[containers]\ndefault_ulimits = ["nofile=1024:1024"]\n' >/etc/containers/containers.conf
cp /bin/true /tmp/left/bin
tar -C /tmp/left -cf /tmp/left.tar .
podman import /tmp/left.tar localhost/left
podman create --network none --label uk.silverlabs.silvermetal.job=gone --name left localhost/left /bin/true
"#;

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_podman_is_named_and_used_as_podman() {
    for suite in SUITES {
        let machine = Debian::new(suite, &["podman", "podman-docker", "sudo"]);
        let dry = "iso canary --dry-run --engine";
        machine.xtask(&format!("{dry} docker")).says("engine docker is podman here");
        machine
            .xtask(&format!("{dry} private --setup"))
            .says("engine private needs docker's client");
        let plan = machine.xtask(&format!("{dry} auto --setup")).exits(0).stdout;
        assert!(plan.contains("engine     podman "), "{plan}");
        // podman 4.3 has no template for one label
        machine.sh(LEFT_BY_A_JOB).exits(0);
        machine.xtask("clean").exits(0).says("removed container left");
        // the same podman is rootless for anybody else
        for engine in ["podman", "auto"] {
            machine
                .xtask_as("anna", &format!("{dry} {engine} --setup"))
                .exits(3)
                .says("engine podman is rootless")
                .says("use root's podman: sudo /home/anna/sm/target/debug/xtask")
                .says("fix: sudo apt-get update && sudo apt-get install");
        }
    }
}

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_a_run_through_sudo_leaves_nothing_of_roots() {
    let machine = Debian::new("trixie", &["sudo"]);
    let dry = "iso canary --dry-run --engine private";
    machine.xtask_as("anna", dry).exits(3).says("engine private needs root");
    machine.sh("echo 'anna ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/anna").exits(0);
    let image = format!("127.0.0.1:9/x@sha256:{}", "a".repeat(64));
    let doctor = format!("doctor canary -v --setup --engine private --image {image}");
    let run = format!("su anna -c 'cd ~/sm && sudo ~/sm/target/debug/xtask {doctor}'");
    let ran = machine.sh(&run);
    assert!(ran.stdout.contains("engine private "), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(machine.sh("find /home/anna -user root").exits(0).stdout, "");
}

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_readmes_first_command_has_one_hash_on_every_debian() {
    let mut hashes = Vec::new();
    for suite in SUITES {
        let machine = Debian::new(suite, &[]);
        let ran = machine.xtask("iso canary --setup").exits(0);
        hashes.push(ran.stdout.split_whitespace().next().unwrap().to_owned());
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}
