//! Engines that cannot be used are refused by name, and `auto` chooses one that can.

use crate::support::{Checkout, Ran, STUB, executable, mirror_peer, run};
use std::fs;

/// Runs a dry run of the canary on `engine`, with these stubs on PATH.
fn plan(checkout: &Checkout, engine: &str, programs: &[(&str, &str)]) -> Ran {
    let path = stubs(checkout, programs);
    let mirror = mirror_peer();
    let mut iso = checkout.xtask(["iso", "canary", "--dry-run", "--mirror", &mirror]);
    run(iso.args(["--engine", engine]).env("PATH", path))
}

fn stubs(checkout: &Checkout, programs: &[(&str, &str)]) -> String {
    let path = checkout.path_with("true", "#!/bin/sh\n");
    let bin = path.split(':').next().unwrap();
    for name in ["docker", "podman"] {
        drop(fs::remove_file(format!("{bin}/{name}")));
    }
    // podman's network needs it on Debian 13
    executable(format!("{bin}/nft").as_ref(), "#!/bin/sh\n");
    for (name, script) in programs {
        executable(format!("{bin}/{name}").as_ref(), script);
    }
    path
}

/// A stub whose `info` answers as a rootless engine.
fn rootless() -> String {
    STUB.replace("echo 2 ;;", "case $3 in *ootless*) echo rootless ;; *) echo 2 ;; esac ;;")
}

fn engine_of(plan: &Ran) -> &str {
    plan.stdout.lines().find_map(|line| line.strip_prefix("engine")).expect("a line engine").trim()
}

#[test]
fn a_rootless_engine_is_refused_with_the_way_out() {
    let checkout = Checkout::new("rootless");
    for engine in ["docker", "podman"] {
        plan(&checkout, engine, &[(engine, &rootless())])
            .exits(3)
            .says(&format!("engine {engine} is rootless"))
            .says("fix: use ");
    }
}

#[test]
fn podman_under_dockers_name_is_not_taken_for_docker() {
    let checkout = Checkout::new("podman-docker");
    // Debian's package, and podman under the name docker
    for name in ["podman", "docker"] {
        let answer =
            format!("[ \"$1\" != --version ] || {{ echo {name} version 5.4.2; exit; }}\ncase");
        let podman = STUB.replacen("case", &answer, 1);
        let both = [("docker", &*podman), ("podman", STUB)];
        plan(&checkout, "docker", &both)
            .exits(3)
            .says("engine docker is podman here (package podman-docker, or a link: /")
            .says("pass --engine podman");
        assert_eq!(engine_of(&plan(&checkout, "auto", &both).exits(0)), "podman 28.0.0");
    }
}

#[test]
fn dockers_client_at_podmans_service_is_not_docker() {
    let checkout = Checkout::new("podman-service");
    let service = STUB.replace("echo 28.0.0", "case $3 in *Podman*) echo '5.4.2 (podman)' ;; esac");
    let service = service.replacen(
        "case",
        "[ \"$1\" != context ] || { echo unix:///run/podman/podman.sock; exit; }\ncase",
        1,
    );
    let both = [("docker", &*service), ("podman", STUB)];
    plan(&checkout, "docker", &both)
        .exits(3)
        .says("engine docker is podman's service here (unix:///run/podman/podman.sock)")
        .says("pass --engine podman");
    assert_eq!(engine_of(&plan(&checkout, "auto", &both).exits(0)), "podman 28.0.0");
}

#[test]
fn the_advice_for_a_silent_engine_knows_the_address_that_the_client_asks() {
    let checkout = Checkout::new("silent");
    let silent = |address: &str| {
        let stub = format!(
            "#!/bin/sh\n[ \"$1\" != context ] || {{ echo {address}; exit; }}\necho Cannot connect >&2\nexit 1\n"
        );
        plan(&checkout, "docker", &[("docker", &stub)]).exits(3)
    };
    silent("unix:///run/user/1000/docker.sock").says("engine docker is rootless");
    silent("unix:///srv/d.sock").says("start the engine at unix:///srv/d.sock").says("DOCKER_HOST");
    let system = silent("unix:///var/run/docker.sock");
    assert!(!system.stderr.contains("DOCKER_HOST"), "{}", system.stderr);
}

#[test]
fn a_remote_engine_is_refused_wherever_its_address_comes_from() {
    let checkout = Checkout::new("remote");
    for address in ["ssh://builder@far", "tcp://10.0.0.1:2376"] {
        let remote = STUB.replacen(
            "case",
            &format!("[ \"$1\" != context ] || {{ echo {address}; exit; }}\ncase"),
            1,
        );
        plan(&checkout, "docker", &[("docker", &remote)])
            .exits(3)
            .says(&format!("engine docker is remote ({address})"))
            .says("docker context use default");
    }
    // a client without contexts
    let old = STUB.replacen("case", "[ \"$1\" != context ] || exit 1\ncase", 1);
    let path = stubs(&checkout, &[("docker", &old)]);
    let mut iso = checkout.xtask(["iso", "canary", "--dry-run", "--engine", "docker"]);
    run(iso.env("PATH", path).env("DOCKER_HOST", "tcp://far:2375"))
        .exits(3)
        .says("engine docker is remote (tcp://far:2375)");
}

#[test]
fn auto_passes_over_engines_that_cannot_work() {
    let checkout = Checkout::new("auto");
    let both = [("docker", &*rootless()), ("podman", STUB)];
    assert_eq!(engine_of(&plan(&checkout, "auto", &both).exits(0)), "podman 28.0.0");
    let ran = plan(&checkout, "auto", &[("docker", &rootless()), ("podman", &rootless())]);
    // root has other engines; anybody else is told why there is none
    let other = ["private", "host"].iter().any(|name| engine_of(&ran).starts_with(name));
    assert!(other || ran.stderr.contains("engine docker is rootless"), "{ran:?}");
}

#[test]
fn the_next_command_uses_the_engine_that_setup_prepared() {
    let checkout = Checkout::new("stable");
    let both = [("docker", STUB), ("podman", STUB)];
    assert_eq!(engine_of(&plan(&checkout, "auto", &both).exits(0)), "docker 28.0.0");
    let mut iso = checkout.xtask(["iso", "canary", "--setup", "--engine", "podman"]);
    let mirror = mirror_peer();
    iso.args(["--mirror", &mirror]).env("PATH", stubs(&checkout, &both)).env("RUN", "exit 1");
    run(&mut iso).exits(4);
    assert_eq!(engine_of(&plan(&checkout, "auto", &both).exits(0)), "podman 28.0.0");
    // what is asked for by name is what is used
    assert_eq!(engine_of(&plan(&checkout, "docker", &both).exits(0)), "docker 28.0.0");
    // an engine that is gone is no reason to fail
    assert_eq!(engine_of(&plan(&checkout, "auto", &both[..1]).exits(0)), "docker 28.0.0");
}

#[test]
fn an_engine_that_is_missing_or_refuses_permission_has_its_own_advice() {
    let checkout = Checkout::new("advice");
    plan(&checkout, "podman", &[]).exits(3).says("podman is not installed").says("podman");
    let denied = "#!/bin/sh\n[ \"$1\" = context ] || { echo 'permission denied while trying to connect' >&2; exit 1; }\n";
    plan(&checkout, "docker", &[("docker", denied)])
        .exits(3)
        .says("engine docker does not answer")
        .says("--engine private");
}

#[test]
fn programs_of_docker_are_taken_whoever_installed_them() {
    let checkout = Checkout::new("taken");
    // dpkg knows nothing, as with packages of other names
    let nothing = "#!/bin/sh\n";
    let all = [("dockerd", nothing), ("docker", STUB), ("iptables", nothing), ("ip", nothing)];
    let path = stubs(&checkout, &[&all[..], &[("dpkg-query", nothing)]].concat());
    let mut iso = checkout.xtask(["iso", "canary", "--dry-run", "-v", "--engine", "private"]);
    let ran = run(iso.args(["--setup", "--mirror", &mirror_peer()]).env("PATH", &path));
    let missing =
        ran.stdout.lines().find(|line| line.starts_with("missing")).expect("curl at least");
    for package in ["docker.io", "docker-cli", "iptables", "iproute2"] {
        assert!(!missing.contains(package), "{missing}");
    }
    // apt removes nothing for the others
    let apt = ran.stdout.lines().find(|line| line.contains("apt-get install")).expect("apt's line");
    assert!(apt.contains("apt-get install --yes --no-install-recommends --no-remove "), "{apt}");
}
