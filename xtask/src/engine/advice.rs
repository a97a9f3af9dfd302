//! Problems of an engine that cannot be used, with the way out for this user on this machine.

use super::status::{EngineStatus, Unusable};
use super::{EngineKind, private};
use std::path::Path;
use xtask_core::as_root;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, which};
use xtask_core::facts::host::Host;
use xtask_core::failure::Problem;

/// The problem of an engine that is not running, or on which no build can run.
pub(super) fn unreached(kind: EngineKind, status: &EngineStatus, host: &Host) -> Option<Problem> {
    match status {
        EngineStatus::Running(_) => None,
        EngineStatus::NotInstalled => {
            let what = format!("no container engine: {kind} is not installed");
            Some(Problem::new(what, install(kind, host)).of("engine-answers"))
        }
        EngineStatus::Unreachable { why, address } => {
            let what = format!("engine {kind} does not answer: {why}");
            let rule = if is_api_mismatch(why) { "engine-api" } else { "engine-answers" };
            let fix = match address {
                Some(address) => elsewhere(address, why, host),
                None => start(kind, why, host),
            };
            Some(Problem::new(what, fix).of(rule))
        }
        EngineStatus::Unusable(why) => Some(unusable(kind, why, host).of("engine-answers")),
    }
}

/// The problem of an engine that only root can run.
pub(super) fn needs_root(kind: EngineKind, host: &Host) -> Option<Problem> {
    (!host.is_root()).then(|| {
        Problem::new(
            format!("engine {kind} needs root, and this is uid {}", host.uid),
            format!(
                "{}, or start a Docker Engine and pass --engine docker",
                as_root::again(kind.name())
            ),
        )
        .of("engine-answers")
    })
}

/// The problem of a private engine without docker's client.
pub(super) fn no_client() -> Problem {
    let what = format!("engine private needs docker's client, and {}", disguise("docker"));
    Problem::new(what, "pass --engine podman; or remove that yourself, and run this again")
        .of("engine-answers")
}

/// Says that the program `name` is podman.
fn disguise(name: &str) -> String {
    let path = which("docker").unwrap_or_default();
    format!("{name} is podman here (package podman-docker, or a link: {})", path.shown())
}

fn unusable(kind: EngineKind, why: &Unusable, host: &Host) -> Problem {
    match why {
        Unusable::Rootless => Problem::new(
            format!(
                "engine {kind} is rootless: the builder's systemd and its mounts need privileges that a \
                 rootless engine cannot give"
            ),
            match kind {
                EngineKind::Podman => format!("use root's podman: {}", as_root::again("podman")),
                _ if host.is_root() => {
                    "use the system's docker: unset DOCKER_HOST and DOCKER_CONTEXT, or docker context \
                     use default; or pass --engine private"
                        .to_owned()
                }
                _ => format!(
                    "use the system's docker, if there is one: docker context use default (and unset \
                     DOCKER_HOST); or {}",
                    private_engine(host)
                ),
            },
        ),
        Unusable::Remote(address) => Problem::new(
            format!(
                "engine {kind} is remote ({address}): it cannot see this checkout, which containers mount"
            ),
            match kind {
                EngineKind::Podman => "unset CONTAINER_HOST and CONTAINER_CONNECTION".to_owned(),
                _ => format!(
                    "use this machine's docker: docker context use default (and unset DOCKER_HOST and \
                     DOCKER_CONTEXT); or {}",
                    private_engine(host)
                ),
            },
        ),
        Unusable::PodmanInDisguise => Problem::new(
            format!("{}, which builds only as podman", disguise(&format!("engine {kind}"))),
            "pass --engine podman",
        ),
        Unusable::PodmanService(address) => Problem::new(
            format!("engine {kind} is podman's service here ({address}), which builds only as podman"),
            format!(
                "pass --engine podman; or use this machine's docker: docker context use default (and unset \
                 DOCKER_HOST and DOCKER_CONTEXT); or {}",
                private_engine(host)
            ),
        ),
    }
}

fn install(kind: EngineKind, host: &Host) -> String {
    let mut packages = vec!["podman"];
    if kind != EngineKind::Podman {
        packages = vec!["docker.io", private::client_package(&host.codename)];
        packages.dedup();
    }
    let mut ways = Vec::new();
    if kind != EngineKind::Podman || !host.is_root() {
        ways.push(private_engine(host));
    }
    if host.has_apt {
        let apt = Cmd::new("apt-get").args(["install", "--no-remove"]).args(packages);
        let mut install = format!("install it: {}", as_root::line(&[apt]));
        if kind == EngineKind::Docker && !host.is_root() {
            install += &format!(", and join its group: {}", join_group());
        }
        ways.push(install);
    }
    if ways.is_empty() { format!("install {kind}") } else { ways.join("; or ") }
}

/// The way out if docker's client asks a socket that is not the system's.
fn elsewhere(address: &str, why: &str, host: &Host) -> String {
    let denied = why.contains("permission denied");
    let that = if denied { "get permission for" } else { "start the engine at" };
    format!(
        "{that} {}, which the client asks; or use the system's docker: docker context use \
         default (and unset DOCKER_HOST and DOCKER_CONTEXT); or {}",
        address.shown(),
        private_engine(host)
    )
}

fn start(kind: EngineKind, why: &str, host: &Host) -> String {
    if kind == EngineKind::Podman && host.is_root() {
        return "find out why: podman info".to_owned();
    }
    if kind == EngineKind::Podman {
        return format!("use root's podman: {}", as_root::again("podman"));
    }
    if why.contains("permission denied") && !host.is_root() {
        return format!(
            "join the group of its socket: {}, and log in again; or {}",
            join_group(),
            private_engine(host)
        );
    }
    let systemd = Path::new("/run/systemd/system").exists();
    let start = if systemd {
        Cmd::new("systemctl").args(["start", "docker"])
    } else {
        Cmd::new("service").args(["docker", "start"])
    };
    let daemon = which("dockerd").is_some();
    let start = if daemon {
        format!("start it ({}), or ", as_root::line(&[start]))
    } else {
        // only the client is installed
        String::new()
    };
    format!("{start}{}", private_engine(host))
}

fn private_engine(host: &Host) -> String {
    if host.is_root() {
        "pass --engine private".to_owned()
    } else {
        format!("use a private engine: {}", as_root::again("private"))
    }
}

fn join_group() -> String {
    as_root::line(&[Cmd::new("usermod").args(["--append", "--groups", "docker"])]) + " \"$USER\""
}

/// Returns true if the engine answered, but refused the client's API version.
fn is_api_mismatch(why: &str) -> bool {
    why.contains("client version") && (why.contains("too old") || why.contains("too new"))
}

/// The line that removes what an engine no longer needs.
pub(crate) fn prune(kind: EngineKind) -> String {
    match kind {
        EngineKind::Docker | EngineKind::Podman => format!("{kind} system prune"),
        EngineKind::Private | EngineKind::Host | EngineKind::Vm => {
            "cargo xtask clean --all".to_owned()
        }
    }
}
