//! The private engine's bridge, and the three netfilter rules that connect it to the network.
//!
//! dockerd's own rules, such as the FORWARD policy DROP, would remain after it ends, and would conflict
//! with those of another engine. Our rules have a comment, and are removed with the bridge.

use anyhow::{Context as _, Result, bail};
use std::fs;
use xtask_core::exec::Cmd;

pub(super) struct Bridge {
    pub(super) name: String,
    /// The MTU of the interface with the default route, so that no packet is too big for it.
    pub(super) mtu: u32,
}

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

fn name(id: &str) -> String {
    format!("sm{id}")
}

impl Bridge {
    pub(super) fn set_up(id: &str) -> Result<Bridge> {
        tear_down(id);
        let name = name(id);
        let routes =
            fs::read_to_string("/proc/net/route").context("cannot read /proc/net/route")?;
        let net = free_net(&routes, id)?;
        let made = (|| {
            Cmd::new("ip").args(["link", "add", "name", &name, "type", "bridge"]).read()?;
            Cmd::new("ip").args(["addr", "add", &format!("{net}.1/24"), "dev", &name]).read()?;
            Cmd::new("ip").args(["link", "set", &name, "up"]).read()?;
            for rule in rules(id, &format!("{net}.0/24")) {
                iptables("-I", &rule).read()?;
            }
            if fs::read_to_string(FORWARDING).is_ok_and(|on| on.trim() == "0") {
                fs::write(FORWARDING, "1").context("cannot turn IPv4 forwarding on")?;
            }
            Ok(Bridge { name, mtu: mtu(&routes) })
        })();
        if made.is_err() {
            tear_down(id);
        }
        made
    }
}

/// Removes the bridge and its rules, if they exist.
pub(super) fn tear_down(id: &str) {
    // whatever subnet they have: the one that was chosen may have changed since
    let mark = mark(id);
    for (table, chain) in [("nat", "POSTROUTING"), ("filter", "FORWARD")] {
        let list = Cmd::new("iptables").args(["-w", "-t", table, "-S", chain]).output();
        let rules = list.map(|list| list.stdout).unwrap_or_default();
        for rule in rules.lines().filter(|rule| rule.split(' ').any(|word| word == mark)) {
            // the line is the one that adds it: -A CHAIN …
            let words = rule.split(' ').skip(1);
            drop(Cmd::new("iptables").args(["-w", "-t", table, "-D"]).args(words).output());
        }
    }
    drop(Cmd::new("ip").args(["link", "del", &name(id)]).output());
}

/// The comment of our rules.
fn mark(id: &str) -> String {
    format!("silvermetal-{id}")
}

type FirewallRule = (&'static str, &'static str, Vec<String>);

fn rules(id: &str, subnet: &str) -> [FirewallRule; 3] {
    let bridge = name(id);
    let words = |text: String| text.split(' ').map(str::to_owned).collect();
    let mark = format!("-m comment --comment {}", mark(id));
    [
        ("nat", "POSTROUTING", words(format!("-s {subnet} ! -o {bridge} {mark} -j MASQUERADE"))),
        ("filter", "FORWARD", words(format!("-i {bridge} {mark} -j ACCEPT"))),
        ("filter", "FORWARD", words(format!("-o {bridge} {mark} -j ACCEPT"))),
    ]
}

fn iptables(action: &str, (table, chain, rule): &FirewallRule) -> Cmd {
    Cmd::new("iptables").args(["-w", "-t", table, action, chain]).args(rule)
}

/// Finds a /24 in 172.31.0.0/16 that no route of this machine covers. Returns its first three octets.
fn free_net(routes: &str, id: &str) -> Result<String> {
    let taken: Vec<(u32, u32)> = routes
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // on this little-endian machine, the first octet is the lowest byte
            let hex = |n: usize| u32::from_str_radix(words.get(n)?, 16).ok().map(u32::swap_bytes);
            Some((hex(1)?, hex(7)?))
        })
        .filter(|(_, mask)| *mask != 0)
        .collect();
    let start = u32::from_str_radix(&id[..4.min(id.len())], 16).unwrap_or_default();
    for n in 0..256 {
        let octet = (start + n) % 256;
        let net = u32::from_be_bytes([172, 31, octet as u8, 0]);
        if taken.iter().all(|(route, mask)| net & mask != *route && route & 0xffff_ff00 != net) {
            return Ok(format!("172.31.{octet}"));
        }
    }
    bail!("no free network in 172.31.0.0/16")
}

fn mtu(routes: &str) -> u32 {
    let interface = routes.lines().skip(1).find_map(|line| {
        let mut words = line.split_whitespace();
        let interface = words.next()?;
        (words.next() == Some("00000000")).then_some(interface)
    });
    interface
        .and_then(|name| fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_with_a_route_is_not_chosen() {
        let header = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
        let default = "eth0\t00000000\tFE00000A\t0003\t0\t0\t0\t00000000\n";
        assert_eq!(free_net(&format!("{header}{default}"), "0007abcd").unwrap(), "172.31.7");
        let taken = "br0\t00071FAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
        assert_eq!(free_net(&format!("{header}{default}{taken}"), "0007abcd").unwrap(), "172.31.8");
        let all = "vpn\t00001FAC\t00000000\t0001\t0\t0\t0\t0000FFFF\n";
        assert!(free_net(&format!("{header}{all}"), "0007abcd").is_err());
    }
}
