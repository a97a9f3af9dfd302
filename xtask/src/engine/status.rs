//! State of a shared engine: it runs, it does not, or no build can run on it.

use super::Client;
use super::client::PODMAN_ANSWERS;
use xtask_core::exec::which;

/// State of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EngineStatus {
    /// It answers with this version.
    Running(String),
    NotInstalled,
    /// It does not answer, for this reason. docker's client asked a socket that is not the system's, if
    /// there is an address.
    Unreachable {
        why: String,
        address: Option<String>,
    },
    /// It is of a kind that no build can run on.
    Unusable(Unusable),
}

/// Kinds of engines that no build can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Root of its containers is an ordinary user of its host, so that systemd and mounts fail.
    Rootless,
    /// It runs on another machine, at this address, and cannot see this checkout.
    Remote(String),
    /// The program docker is podman: Debian's package podman-docker, or a link.
    PodmanInDisguise,
    /// docker's client asks podman's service, at this address.
    PodmanService(String),
}

/// Addresses of the system's docker.
const SYSTEMS: [&str; 2] = ["unix:///var/run/docker.sock", "unix:///run/docker.sock"];

/// Asks an engine whether it answers, and whether builds can run on it.
pub(crate) fn ask(client: &Client) -> EngineStatus {
    if which(client.program()).is_none() {
        return EngineStatus::NotInstalled;
    }
    if client.is_podman_in_disguise() {
        return EngineStatus::Unusable(Unusable::PodmanInDisguise);
    }
    let address = client.address().unwrap_or_default();
    if !address.is_empty() && !address.starts_with("unix://") {
        return EngineStatus::Unusable(Unusable::Remote(address));
    }
    let version = match client.version() {
        Ok(version) => version,
        Err(error) => {
            let why = format!("{error:#}");
            // without the package uidmap, a user's podman fails, and says that it is rootless; a user's own
            // socket (XDG_RUNTIME_DIR) is a rootless engine's, even while nobody listens there
            return if why.contains("rootless") || address.starts_with("unix:///run/user/") {
                EngineStatus::Unusable(Unusable::Rootless)
            } else {
                let elsewhere = !address.is_empty() && !SYSTEMS.contains(&address.as_str());
                EngineStatus::Unreachable { why, address: elsewhere.then_some(address) }
            };
        }
    };
    match client.limits() {
        Ok(limits) if limits.contains("rootless") => EngineStatus::Unusable(Unusable::Rootless),
        Ok(limits) if limits.contains("remote") => {
            EngineStatus::Unusable(Unusable::Remote("its service".to_owned()))
        }
        Ok(_) if version.ends_with(PODMAN_ANSWERS) => {
            EngineStatus::Unusable(Unusable::PodmanService(address))
        }
        Ok(_) => EngineStatus::Running(version),
        Err(error) => EngineStatus::Unreachable { why: format!("{error:#}"), address: None },
    }
}
