//! The address of a registry, and the trust in its connection, by the rules of docker's client.

use serde_json::Value;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use xtask_core::exec::Cmd;
use xtask_core::pins::ImageRef;

/// Key of Docker Hub in config.json.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
const DOCKER_HUB: &str = "docker.io";

/// The host of a registry, and a repository on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `HOST[:PORT]` as in image references; `docker.io` if a reference names no host.
    pub(crate) host: String,
    /// The repository on the host, e.g. `library/debian`.
    pub(crate) name: String,
}

impl Address {
    /// The first part of a reference is a host if it has a dot or a port, or is `localhost`
    /// (the distribution project's `reference` package).
    pub(crate) fn of(image: &ImageRef) -> Address {
        match image.repository.split_once('/') {
            Some((host, name)) if host.contains(['.', ':']) || host == "localhost" => {
                let host = if host == "index.docker.io" { DOCKER_HUB } else { host };
                Address { host: host.to_owned(), name: name.to_owned() }
            }
            Some(_) => Address { host: DOCKER_HUB.into(), name: image.repository.clone() },
            None => {
                Address { host: DOCKER_HUB.into(), name: format!("library/{}", image.repository) }
            }
        }
    }

    /// The host that serves the registry's API.
    pub(super) fn api_host(&self) -> &str {
        if self.host == DOCKER_HUB { "registry-1.docker.io" } else { &self.host }
    }

    /// Key of this registry in docker's config.json.
    pub(super) fn key(&self) -> &str {
        if self.host == DOCKER_HUB { DOCKER_HUB_KEY } else { &self.host }
    }
}

/// Returns `true` if docker would connect to `host` without a verified certificate, or without TLS:
/// always on loopback, elsewhere only if the engine's configuration lists the host.
pub(super) fn is_insecure(host: &str) -> bool {
    trusts(&[], host) || trusts(&engines_list(), host)
}

/// Insecure registries of the running engine, else those in its configuration file: hosts with
/// ports, and networks in CIDR notation.
fn engines_list() -> Vec<String> {
    let info = Cmd::new("docker").args(["info", "--format", "{{json .RegistryConfig}}"]);
    let text = info.within_seconds(10).read().unwrap_or_default();
    let config: Value = serde_json::from_str(&text).unwrap_or_default();
    let strings = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|entry| Some(entry.as_str()?.to_owned())).collect()
    };
    if config.is_object() {
        let hosts = config["IndexConfigs"].as_object().into_iter().flatten();
        let hosts =
            hosts.filter(|(_, index)| index["Secure"] == false).map(|(host, _)| host.clone());
        return hosts.chain(strings(&config["InsecureRegistryCIDRs"])).collect();
    }
    let daemon = std::fs::read_to_string("/etc/docker/daemon.json").unwrap_or_default();
    let daemon: Value = serde_json::from_str(&daemon).unwrap_or_default();
    strings(&daemon["insecure-registries"])
}

fn trusts(list: &[String], host: &str) -> bool {
    let address = bare(host);
    address == "localhost"
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        || list.iter().any(|entry| {
            entry == host || entry == address || contains(entry, address).unwrap_or(false)
        })
}

/// Removes the port from `host`.
fn bare(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Returns `true` if the network `cidr` contains `address`, and `None` if one of them is invalid.
fn contains(cidr: &str, address: &str) -> Option<bool> {
    let (net, bits) = cidr.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    let number = |text: &str| match text.parse().ok()? {
        IpAddr::V4(ip) => Some((u128::from(u32::from(ip)) << 96, 32)),
        IpAddr::V6(ip) => Some((u128::from(ip), 128)),
    };
    let ((net, width), (address, own)) = (number(net)?, number(address)?);
    if width != own || bits > width {
        return None;
    }
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
    Some(net & mask == address & mask)
}

/// CA certificate that docker trusts for this registry besides the system's: the first `*.crt` in
/// /etc/docker/certs.d/HOST:PORT, as docker documents it.
pub(super) fn ca_file(host: &str) -> Option<PathBuf> {
    let dir = Path::new("/etc/docker/certs.d").join(host);
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "crt"))
        .collect();
    files.sort();
    files.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_distinguished_from_a_folder() {
        let of = |s: &str| {
            let address = Address::of(&s.parse().unwrap());
            format!("{} {}", address.host, address.name)
        };
        assert_eq!(of("docker-registry:5000/builder:x"), "docker-registry:5000 builder");
        assert_eq!(of("registry.example/a/b"), "registry.example a/b");
        assert_eq!(of("localhost/b"), "localhost b");
        assert_eq!(of("debian:trixie"), "docker.io library/debian");
        assert_eq!(of("some/one"), "docker.io some/one");
    }

    #[test]
    fn only_loopback_and_hosts_listed_by_the_engine_are_insecure() {
        for host in ["127.0.0.1:5000", "127.9.9.9", "localhost:1", "[::1]:5000"] {
            assert!(trusts(&[], host), "{host}");
        }
        for host in ["docker-registry:5000", "10.0.0.1:5000", "127.example", "[fe80::1]:5000"] {
            assert!(!trusts(&[], host), "{host}");
        }
        let list = ["docker-registry:5000".to_owned(), "10.0.0.0/8".to_owned()];
        assert!(trusts(&list, "docker-registry:5000") && trusts(&list, "10.1.2.3:5000"));
        assert!(!trusts(&list, "docker-registry:5001") && !trusts(&list, "11.1.2.3:5000"));
    }
}
