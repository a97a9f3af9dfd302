//! Needs of podman that its package does not bring, and limits that this machine sets to its containers.

use super::capabilities;
use std::fs;
use xtask_core::exec::which;

/// podman's own limits for a container (libpod/define/config.go, RLimitDefaultValue).
const ITS_DEFAULT: u64 = 1_048_576;

/// Debian packages that connect podman's containers to a network. podman's netavark only recommends nftables,
/// and `RUN` in a Dockerfile fails without it. Before trixie, podman brings iptables.
pub(super) fn packages(codename: &str) -> Vec<String> {
    let uses_nft = matches!(codename, "trixie" | "forky" | "sid") && which("podman").is_some();
    let missing = uses_nft && which("nft").is_none();
    missing.then(|| "nftables".to_owned()).into_iter().collect()
}

/// Options of `podman run` and `podman build`, if root cannot raise its limits to podman's defaults: without
/// them, crun fails with ``setrlimit `RLIMIT_NOFILE`: Operation not permitted``.
pub(super) fn limits_to_keep() -> Vec<String> {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    if !capabilities::lacking(&read("status")).contains(&"SYS_RESOURCE") {
        return Vec::new();
    }
    options(&read("limits"))
}

fn options(limits: &str) -> Vec<String> {
    let names = [("nofile", "Max open files"), ("nproc", "Max processes")];
    let lower = names.into_iter().filter_map(|(name, title)| {
        let line = limits.lines().find_map(|line| line.strip_prefix(title))?;
        let hard: u64 = line.split_whitespace().nth(1)?.parse().ok()?; // not `unlimited`
        (hard < ITS_DEFAULT).then(|| format!("--ulimit={name}={hard}:{hard}"))
    });
    lower.collect()
}

#[cfg(test)]
mod tests {
    use super::options;

    #[test]
    fn only_limits_below_podmans_are_passed_on() {
        let limits = "\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max processes             unlimited            unlimited            processes \n\
Max open files            1024                 20000                files     \n";
        assert_eq!(options(limits), ["--ulimit=nofile=20000:20000"]);
        assert!(options(&limits.replace("20000 ", "1048576 ")).is_empty());
    }
}
