//! Ids, keys and seeds that are made at random, once for each build.

use super::super::rule::{At, CauseRule, Evidence};
use super::shapes;
use crate::edits::{Edit, Edited, are_other_ids};

pub(super) static RULES: &[CauseRule] = &[
    CauseRule {
        id: "nvme-hostid",
        name: "random id of the NVMe host, made when nvme-cli was installed",
        fix: "delete etc/nvme/hostid and etc/nvme/hostnqn in a chroot hook; nvme-cli makes new ones",
        source: "nvme-cli's postinst; measured on Kicksecure 18.2.1.9",
        evidence: Evidence::Whole(&["etc/nvme/hostid", "etc/nvme/hostnqn"], shapes::host_uuids),
    },
    CauseRule {
        id: "casper-uuid",
        name: "UUID by which an initramfs finds its own medium, made at random",
        fix: "mkinitramfs with CASPER_GENERATE_UUID unset, or write one UUID into conf/uuid.conf and .disk/casper-uuid-*",
        source: "casper(7)",
        evidence: Evidence::Whole(&["conf/uuid.conf", ".disk/casper-uuid*"], shapes::host_uuids),
    },
    CauseRule {
        id: "machine-id",
        name: "machine-id, made at random",
        fix: "empty etc/machine-id and delete var/lib/dbus/machine-id: systemd makes one at first boot",
        source: "machine-id(5)",
        evidence: Evidence::Whole(
            &["etc/machine-id", "var/lib/dbus/machine-id"],
            shapes::machine_ids,
        ),
    },
    CauseRule {
        id: "ssh-host-keys",
        name: "SSH host keys, made when openssh-server was installed",
        fix: "delete etc/ssh/ssh_host_* and make them at first boot",
        source: "live-build hook 2011; COEN",
        evidence: Evidence::Whole(
            &["etc/ssh/ssh_host_*", "etc/dropbear/**/*_host_key"],
            shapes::host_keys,
        ),
    },
    CauseRule {
        id: "tls-keys",
        name: "private key, made at random",
        fix: "delete it (ssl-cert-snakeoil, …) and make it at first boot",
        source: "live-build hook 2011",
        evidence: Evidence::Whole(
            &["etc/ssl/private/**", "etc/cups/ssl/**", "etc/unbound/unbound_*"],
            crate::edits::are_other_keys,
        ),
    },
    CauseRule {
        id: "tls-certificates",
        name: "certificate that a package made for itself, with a key made at random",
        fix: "delete it (ssl-cert-snakeoil, …) and make it at first boot",
        source: "live-build hook 2011; the packages' postinst",
        // of anything else a certificate says whom to trust
        evidence: Evidence::Whole(
            &[
                "etc/ssl/certs/ssl-cert-snakeoil.pem",
                "etc/cups/ssl/*.crt",
                "etc/unbound/unbound_*.pem",
            ],
            shapes::certificates,
        ),
    },
    CauseRule {
        id: "keystore",
        name: "Java keystore, which holds the time at which each certificate was added",
        fix: "delete etc/ssl/certs/java/cacerts in a chroot hook and make it at first boot, or write fixed times into it",
        source: "live-build hook 2011; ca-certificates-java",
        evidence: Evidence::Paths(&["**/cacerts", "**/*.jks"]),
    },
    CauseRule {
        id: "key-rings",
        name: "keys that this build made, or that somebody exchanged",
        fix: "delete them and make them at first boot (pacman-key --init, rndc-confgen, gpg)",
        source: "archiso; the packages' postinst",
        evidence: Evidence::Paths(&[
            "etc/pacman.d/gnupg/**",
            "etc/bind/rndc.key",
            "var/lib/tor/keys/**",
            "**/.gnupg/**",
        ]),
    },
    CauseRule {
        id: "password-salt",
        name: "password that is hashed with a random salt",
        fix: "hash it with a fixed salt (openssl passwd -6 -salt …), or lock the account",
        source: "crypt(5)",
        evidence: Evidence::Paths(&["etc/shadow", "etc/gshadow"]),
    },
    CauseRule {
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
    CauseRule {
        id: "host-ids",
        name: "id of this machine, made when a package was installed",
        fix: "delete it in a chroot hook, so that it is made at first boot",
        source: "the packages' postinst",
        evidence: Evidence::Whole(
            &[
                "etc/iscsi/initiatorname.iscsi",
                "etc/popularity-contest.conf",
                "etc/hostid",
                "etc/openvswitch/system-id.conf",
                "etc/mdadm/.host-id",
            ],
            shapes::host_ids,
        ),
    },
    CauseRule {
        id: "nix-store",
        name: "hash of a path in the Nix store: the inputs moved",
        fix: "build both from the same inputs (flake.lock, nixpkgs)",
        source: "Nix manual, store paths",
        evidence: Evidence::Edit(is_store_path),
    },
    CauseRule {
        id: "commit",
        name: "another commit was built: the sources moved",
        fix: "build both from the same commit",
        source: "os-release(5), BUILD_ID; version control",
        evidence: Evidence::Edit(is_commit),
    },
    CauseRule {
        id: "random-id",
        name: "random id or private key in a content",
        fix: "find what makes it; derive it from SOURCE_DATE_EPOCH, or delete it and make it at first boot",
        source: "reproducible-builds.org, randomness",
        evidence: Evidence::Edit(is_random),
    },
];

/// Words that declare their value an id, as the last part of a key.
const IDS: [&str; 12] = [
    "id",
    "uuid",
    "guid",
    "token",
    "serial",
    "seed",
    "salt",
    "nonce",
    "cookie",
    "hostid",
    "machineid",
    "boot_id",
];

fn is_random(edit: &Edit, at: &At<'_>) -> bool {
    // an id in a setting or in code names a disk or lets somebody in: that is a decision
    let secret = at.content.is_some_and(|changes| changes.secret);
    if (at.is_setting() || at.is_code() || names_a_disk(edit) || identifies(edit)) && !secret {
        return false;
    }
    match edit.what {
        Edited::Uuid => edit.in_text && are_other_ids(&edit.a, &edit.b),
        // ids of one kind have one length
        Edited::Hex => {
            let key = edit.key().unwrap_or_default().to_lowercase();
            let last = key.rsplit(['.', '-']).next().unwrap_or_default();
            edit.in_text
                && are_other_ids(&edit.a, &edit.b)
                && edit.a.len() >= 8
                && IDS.contains(&last)
        }
        // nothing else is in the file
        _ => at.content.is_some_and(|changes| changes.secret),
    }
}

/// Returns true if an id stands where one names a file system or a partition.
fn names_a_disk(edit: &Edit) -> bool {
    let before = edit.before.to_lowercase();
    before.trim_end_matches(['"', '\'']).ends_with("uuid=")
        || ["by-uuid/", "by-partuuid/", "fs-uuid", "search"]
            .iter()
            .any(|sign| before.contains(sign))
}

/// Returns true if the line says before an id that it stands for a key or for somebody: who exchanges it lets
/// somebody else in.
fn identifies(edit: &Edit) -> bool {
    let before = edit.before.to_lowercase();
    before.split(|c: char| !c.is_alphanumeric()).any(|word| {
        matches!(
            word,
            "accept"
                | "allow"
                | "allowed"
                | "auth"
                | "authorized"
                | "ca"
                | "cert"
                | "fingerprint"
                | "key"
                | "owner"
                | "peer"
                | "pin"
                | "pub"
                | "public"
                | "sign"
                | "signed"
                | "signer"
                | "signing"
                | "trust"
                | "trusted"
        )
    })
}

/// `/nix/store/HASH-name`, the same name on both sides.
fn is_store_path(edit: &Edit, _: &At<'_>) -> bool {
    let name = |path: &str| {
        let rest = path.strip_prefix("/nix/store/")?;
        let (hash, name) = rest.split_at_checked(32)?;
        let base32 =
            |b: u8| b.is_ascii_digit() || (b.is_ascii_lowercase() && !b"eotu".contains(&b));
        hash.bytes().all(base32).then(|| name.to_owned())
    };
    edit.what == Edited::Path && name(&edit.a).is_some() && name(&edit.a) == name(&edit.b)
}

/// A whole commit id behind a name that says so.
fn is_commit(edit: &Edit, at: &At<'_>) -> bool {
    let key = edit.key().unwrap_or_default().to_lowercase();
    let named = ["build_id", "commit", "revision", "git_commit", "git_sha", "vcs_ref"];
    edit.in_text
        && are_other_ids(&edit.a, &edit.b)
        && matches!(edit.a.len(), 40 | 64)
        && [&edit.a, &edit.b].iter().all(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))
        && named.contains(&key.as_str())
        && !at.is_code()
        // elsewhere a commit is one that somebody pinned
        && (!at.is_setting() || at.path_is(&["etc/*release*", "etc/*version*", ".disk/**"]))
}
