//! Engines that people bring: podman, rootless docker, and docker's client at podman.

use crate::prepare;
use crate::root::Debian;

/// The hash that `iso` printed.
fn hash(stdout: &str) -> &str {
    stdout.split_whitespace().next().expect("a hash")
}

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_podman_and_a_private_engine_build_one_canary() {
    for suite in ["bookworm", "trixie"] {
        println!("{suite}");
        let machine = Debian::new(suite, &["podman", "runc"]);
        if suite == "bookworm" {
            // its crun needs CAP_SYS_RESOURCE, which this host's root may lack
            let conf = "mkdir -p /etc/containers && printf '[engine]\nruntime = \"runc\"\n'";
            machine.sh(&format!("{conf} >/etc/containers/containers.conf")).exits(0);
        }
        let ran = machine.xtask("iso canary --engine podman --setup --save-inputs /root/inputs");
        let podmans = hash(&ran.exits(0).stdout).to_owned();
        prepare(&machine, "private"); // --from-inputs installs nothing
        let private = "iso canary --engine private --from-inputs /root/inputs";
        let ran = machine.xtask(&format!("{private} --output /root/private")).exits(0);
        assert_eq!(hash(&ran.stdout), podmans, "{suite}");
    }
}

/// Starts docker's own rootless daemon as a user, without systemd, and asks xtask about it.
const ROOTLESS: &str = r#"
useradd --create-home anna
cp -r /src /home/anna/sm && chown -R anna: /home/anna
mkdir -p /run/user/1000 && chown anna /run/user/1000
cat >/home/anna/ask <<'EOF'
export XDG_RUNTIME_DIR=/run/user/1000 PATH=$PATH:/usr/sbin:/usr/share/docker.io/contrib
export DOCKER_HOST=unix:///run/user/1000/docker.sock
dockerd-rootless.sh >daemon.log 2>&1 &
daemon=$!
timeout 60 sh -c 'until docker version; do sleep 1; done' >/dev/null 2>&1 || cat daemon.log
cd sm
ask() {
    echo "$*:"
    target/debug/xtask "$@" 2>&1
    echo "exit $?"
}
ask iso canary --engine docker
ask iso canary
ask doctor canary --engine docker
kill $daemon; wait $daemon
ask iso canary --engine docker
EOF
su anna -c 'cd; bash ask'
"#;

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_rootless_docker_is_refused_whether_it_runs_or_not() {
    let rootless = ["uidmap", "rootlesskit", "slirp4netns", "iptables"];
    let packages = [&["docker.io", "docker-cli", "sudo"][..], &rootless].concat();
    let machine = Debian::new("trixie", &packages);
    let ran = machine.sh(ROOTLESS).exits(0).stdout;
    assert_eq!(ran.matches("engine docker is rootless").count(), 4, "{ran}");
    assert_eq!(ran.matches("exit 3").count(), 4, "{ran}");
    let way_out = "use a private engine: sudo /home/anna/sm/target/debug/xtask iso canary --engine";
    assert!(ran.contains(way_out), "{ran}");
}

/// docker's client asks podman's service; then docker is a link to podman.
const CLIENT_AT_PODMAN: &str = r#"
export DOCKER_HOST=unix:///run/podman/podman.sock
mkdir -p /run/podman
podman info >/dev/null # its first answer takes long
podman system service --time 0 "$DOCKER_HOST" &
timeout 60 sh -c 'until docker version; do sleep 1; done' >/dev/null 2>&1
target/debug/xtask iso canary --dry-run --setup --engine docker
target/debug/xtask iso canary --dry-run --setup
kill $!
unset DOCKER_HOST
ln -s /usr/bin/podman /usr/local/bin/docker
target/debug/xtask iso canary --dry-run --setup --engine docker
target/debug/xtask iso canary --dry-run --setup
"#;

#[test]
#[ignore = "makes Debian machines: cargo xtask test --machines"]
fn machines_dockers_client_at_podman_is_not_docker() {
    let machine = Debian::new("trixie", &["podman", "docker-cli"]);
    let ran = machine
        .sh(CLIENT_AT_PODMAN)
        .says("engine docker is podman's service here (unix:///run/podman/podman.sock)")
        .says("engine docker is podman here (package podman-docker, or a link: /usr/local/bin/docker)");
    assert_eq!(ran.stdout.matches("engine     podman 5.").count(), 2, "{ran:?}");
    assert_eq!(ran.stdout.matches("missing    nftables, ").count(), 2, "{ran:?}");
}
