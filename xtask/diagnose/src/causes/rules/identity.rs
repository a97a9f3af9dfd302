//! Ids, keys and seeds that are made at random, once for each build.

use super::super::{At, Evidence, Rule};
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
        _ => false,
    }
}
