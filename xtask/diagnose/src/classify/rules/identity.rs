//! Ids, keys and seeds that are made at random, once for each build.

use super::super::rule::{At, Evidence, Rule};
use crate::edits::{Edit, Edited};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "nvme-hostid",
        name: "random id of the NVMe host, made when nvme-cli was installed",
        fix: "delete etc/nvme/hostid and etc/nvme/hostnqn in a chroot hook; nvme-cli makes new ones",
        source: "nvme-cli's postinst; measured on Kicksecure 18.2.1.9",
        evidence: Evidence::Paths(&["etc/nvme/hostid", "etc/nvme/hostnqn"]),
    },
    Rule {
        id: "machine-id",
        name: "machine-id, made at random",
        fix: "empty etc/machine-id and delete var/lib/dbus/machine-id: systemd makes one at first boot",
        source: "machine-id(5)",
        evidence: Evidence::Paths(&["etc/machine-id", "var/lib/dbus/machine-id"]),
    },
    Rule {
        id: "ssh-host-keys",
        name: "SSH host keys, made when openssh-server was installed",
        fix: "delete etc/ssh/ssh_host_* and make them at first boot",
        source: "live-build hook 2011; COEN",
        evidence: Evidence::Paths(&["etc/ssh/ssh_host_*", "etc/dropbear/**/*_host_key"]),
    },
    Rule {
        id: "tls-keys",
        name: "key or certificate made at random",
        fix: "delete it (ssl-cert-snakeoil, Java's keystore, …) and make it at first boot",
        source: "live-build hook 2011",
        evidence: Evidence::Paths(&[
            "etc/ssl/private/**",
            "etc/ssl/certs/ssl-cert-snakeoil.pem",
            "etc/ssl/certs/java/cacerts",
            "**/cacerts",
            "**/*.jks",
            "etc/bind/rndc.key",
            "etc/unbound/unbound_*",
            "etc/cups/ssl/**",
            "var/lib/tor/keys/**",
            "**/.gnupg/**",
        ]),
    },
    Rule {
        id: "random-seed",
        name: "seed of a random number generator",
        fix: "delete it: a seed that is shipped is worse than none",
        source: "systemd-random-seed(8)",
        evidence: Evidence::Paths(&[
            "var/lib/systemd/random-seed",
            "var/lib/systemd/credential.secret",
            "var/lib/urandom/random-seed",
            "**/.rnd",
            "var/lib/NetworkManager/secret_key",
        ]),
    },
    Rule {
        id: "host-ids",
        name: "id of this machine, made when a package was installed",
        fix: "delete it in a chroot hook, so that it is made at first boot",
        source: "the packages' postinst",
        evidence: Evidence::Paths(&[
            "etc/iscsi/initiatorname.iscsi",
            "etc/popularity-contest.conf",
            "etc/hostid",
            "etc/openvswitch/system-id.conf",
            "etc/mdadm/.host-id",
        ]),
    },
    Rule {
        id: "random-id",
        name: "random id, key or hash in a content",
        fix: "find what makes it; derive it from SOURCE_DATE_EPOCH, or delete it and make it at first boot",
        source: "reproducible-builds.org, randomness",
        evidence: Evidence::Edit(is_random),
    },
];

fn is_random(edit: &Edit, _: &At<'_>) -> bool {
    match edit.what {
        Edited::Uuid => true,
        // ids of one kind have one length
        Edited::Hex => edit.a.len() == edit.b.len() && edit.a.len() >= 8,
        Edited::Blob => edit.a.len().abs_diff(edit.b.len()) <= 4,
        // a line of a key or certificate, or two, which may look like paths
        Edited::Line => is_base64(&edit.a) || is_base64(&edit.b),
        Edited::Text | Edited::Path | Edited::Name => is_base64(&edit.a) && is_base64(&edit.b),
        _ => false,
    }
}

/// Base64 of random bytes: its letters, many of them great, not letters alone, and great, small,
/// numbers and signs in turn, as in no path or word.
fn is_base64(line: &str) -> bool {
    let line = line.trim();
    let bytes = line.trim_end_matches('=').as_bytes();
    let kind = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(0),
        b'a'..=b'z' => Some(1),
        b'0'..=b'9' => Some(2),
        b'+' | b'/' => Some(3),
        _ => None,
    };
    let changes = bytes.windows(2).filter(|pair| kind(&pair[0]) != kind(&pair[1])).count();
    let great = bytes.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let other = bytes.iter().any(|byte| !byte.is_ascii_alphabetic());
    bytes.len() >= 16
        && bytes.iter().all(|byte| kind(byte).is_some())
        && changes * 10 > bytes.len() * 3
        && great * 5 > bytes.len()
        && other
}

#[cfg(test)]
mod tests {
    use super::is_base64;

    #[test]
    fn a_line_of_a_key_is_no_path() {
        assert!(is_base64("MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDMpXJkyCoEZE1B"));
        assert!(is_base64("gvYXddYwjAap5gH3qLC5Gg=="));
        assert!(!is_base64("usr/share/icons/Adwaita16x16/places"));
        assert!(!is_base64("ThisIsSomeNameInCamelCase"));
        assert!(!is_base64("in the sun"));
    }
}
