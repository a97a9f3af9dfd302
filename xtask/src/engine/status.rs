//! State of a shared engine: it runs, it does not, or no build can run on it.

use super::Client;
use xtask_core::exec::which;

/// State of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EngineStatus {
    /// It answers with this version.
    Running(String),
    NotInstalled,
    /// It does not answer, for this reason.
    Unreachable(String),
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
    /// The program docker is podman's (Debian's package podman-docker).
    PodmanInDisguise,
}

/// Asks an engine whether it answers, and whether builds can run on it.
pub(crate) fn ask(client: &Client) -> EngineStatus {
    if which(client.program()).is_none() {
        return EngineStatus::NotInstalled;
    }
    if client.is_podman_in_disguise() {
        return EngineStatus::Unusable(Unusable::PodmanInDisguise);
    }
    if let Some(address) = client.remote_address() {
        return EngineStatus::Unusable(Unusable::Remote(address));
    }
    let version = match client.version() {
        Ok(version) => version,
        Err(error) => {
            let why = format!("{error:#}");
            // without the package uidmap, a user's podman fails, and says that it is rootless
            return if why.contains("rootless") {
                EngineStatus::Unusable(Unusable::Rootless)
            } else {
                EngineStatus::Unreachable(why)
            };
        }
    };
    match client.limits() {
        Ok(limits) if limits.contains("rootless") => EngineStatus::Unusable(Unusable::Rootless),
        Ok(limits) if limits.contains("remote") => {
            EngineStatus::Unusable(Unusable::Remote("its service".to_owned()))
        }
        Ok(_) => EngineStatus::Running(version),
        Err(error) => EngineStatus::Unreachable(format!("{error:#}")),
    }
}
