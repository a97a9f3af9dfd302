//! Files that must not be in an image, whatever system they are in.

use super::file_tree::FileTree;
use diskimage::Kind;

/// Paths that are named of a violation.
const NAMED: usize = 5;

struct Forbidden {
    rule: &'static str,
    what: &'static str,
    patterns: &'static [&'static str],
    /// True if an empty file counts as well.
    even_empty: bool,
}

const FORBIDDEN: [Forbidden; 7] = [
    Forbidden {
        rule: "host-keys",
        what: "SSH host keys are in the image: every copy would have the same",
        patterns: &[
            "etc/ssh/ssh_host_*key*",
            "etc/dropbear/**/*_host_key",
            "etc/tinyssh/sshkeydir/.*",
            "etc/tinyssh/sshkeydir/*",
        ],
        even_empty: true,
    },
    Forbidden {
        rule: "logs",
        what: "logs of the build are in the image",
        patterns: &["var/log/**", "var/lib/dkms/**/log/**"],
        even_empty: false,
    },
    Forbidden {
        rule: "apt-lists",
        what: "apt's lists are in the image",
        patterns: &[
            "var/lib/apt/lists/*_InRelease",
            "var/lib/apt/lists/*_Release*",
            "var/lib/apt/lists/*_Packages*",
            "var/lib/apt/lists/*_Sources*",
            "var/lib/apt/lists/*_Translation-*",
        ],
        even_empty: true,
    },
    Forbidden {
        rule: "random-seed",
        what: "a seed of the random number generator is in the image",
        patterns: &[
            "var/lib/systemd/random-seed",
            "var/lib/systemd/credential.secret",
            "var/lib/urandom/random-seed",
        ],
        even_empty: false,
    },
    Forbidden {
        rule: "nvme-hostid",
        what: "a random NVMe host id is in the image: every copy would have the same",
        patterns: &["etc/nvme/hostid", "etc/nvme/hostnqn"],
        even_empty: true,
    },
    Forbidden {
        rule: "mok",
        what: "a machine owner key was made during the build",
        patterns: &["var/lib/dkms/mok.*", "var/lib/shim-signed/mok/*", "var/lib/dkms/**/mok.*"],
        even_empty: true,
    },
    Forbidden {
        rule: "credentials",
        what: "credentials are in the image",
        patterns: &[
            "etc/apt/auth.conf",
            "etc/apt/auth.conf.d/*.conf",
            "root/.netrc",
            "home/*/.netrc",
            "root/.docker/config.json",
            "home/*/.docker/config.json",
            "**/.git-credentials",
            "root/.ssh/id_*",
            "home/*/.ssh/id_*",
            "**/.gnupg/private-keys-v1.d/*",
            "etc/cryptsetup-keys.d/*",
            "cryptroot/keyfiles/*",
            "crypto_keyfile.bin",
            "etc/credstore/*",
            "etc/credstore.encrypted/*",
            "run/credstore/*",
            "usr/lib/credstore/*",
            ".extra/credentials/*",
            ".extra/global_credentials/*",
            "etc/NetworkManager/system-connections/*",
            "root/.aws/credentials",
            "home/*/.aws/credentials",
            "**/.pgpass",
            "**/.pypirc",
        ],
        even_empty: false,
    },
];

/// Files of one rule that are in one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForbiddenFiles {
    pub(crate) rule: &'static str,
    pub(crate) what: &'static str,
    /// The first of them.
    pub(crate) paths: Vec<String>,
    pub(crate) count: u64,
}

/// From which grub-mkconfig makes the configuration of an installed system, and what it made.
pub(super) const GRUB_SETTINGS: [&str; 4] =
    ["etc/grub.d/*", "etc/default/grub", "etc/default/grub.d/*", "boot/grub/*.cfg"];

impl ForbiddenFiles {
    /// A file of [`GRUB_SETTINGS`] whose text makes GRUB read SMBIOS (GRUB's manual, command `smbios`). Whoever runs an
    /// installed system in a virtual machine could add kernel parameters, and switch off its hardening.
    pub(super) fn firmware_parameters(path: &str, text: &str) -> Option<ForbiddenFiles> {
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        code.any(|line| line.to_ascii_lowercase().contains("smbios")).then(|| ForbiddenFiles {
            rule: "firmware-parameters",
            what: "an installed system would take kernel parameters from the machine's firmware (SMBIOS)",
            paths: vec![path.to_owned()],
            count: 1,
        })
    }

    /// A host key where sshd's settings say.
    pub(super) fn host_key(path: &str) -> ForbiddenFiles {
        let Forbidden { rule, what, .. } = FORBIDDEN[0];
        ForbiddenFiles { rule, what, paths: vec![path.to_owned()], count: 1 }
    }
}

/// All forbidden files of a root, by rule.
pub(super) fn find(files: &FileTree) -> Vec<ForbiddenFiles> {
    let mut all = Vec::new();
    for forbidden in &FORBIDDEN {
        let mut paths: Vec<String> = forbidden
            .patterns
            .iter()
            .flat_map(|pattern| files.matches(pattern))
            .filter(|found| {
                let target = found.target.filter(|target| files.kind(*target) == Kind::File);
                let size = |id| files.node(id).map_or(0, |node| node.metadata.size);
                // systemd's var/log/README leads to a file of its package
                let of_package = files.kind(found.id) == Kind::Symlink
                    && target.is_some_and(|target| {
                        let path = files.path(target);
                        path.starts_with("usr/share/") || path.starts_with("usr/lib/")
                    });
                forbidden.even_empty || (target.is_some_and(|id| size(id) > 0) && !of_package)
            })
            .map(|found| found.path)
            .collect();
        paths.sort();
        paths.dedup();
        if !paths.is_empty() {
            let count = paths.len() as u64;
            paths.truncate(NAMED);
            all.push(ForbiddenFiles { rule: forbidden.rule, what: forbidden.what, paths, count });
        }
    }
    all
}
