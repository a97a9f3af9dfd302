//! Conditions that must not matter: `verify --vary` runs build B under other ones.

use crate::engine::EngineKind;
use crate::engine::container::HOSTNAME;
use std::collections::BTreeSet;
use std::str::FromStr;

/// One condition that a build must not depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variation {
    /// The builder's host name
    HostName,
    /// Where the checkout is, outside and inside the builder
    Path,
    /// The user that the entry runs as
    User,
    /// The umask that the entry starts with
    Umask,
    /// The number of CPUs
    Cpus,
    /// The caller's locale
    Locale,
    /// The caller's time zone
    TimeZone,
    /// More variables in the caller's environment
    Environment,
    /// The clock
    Clock,
    /// The order in which directories list their entries
    DirectoryOrder,
    /// What the host's firmware looks like from the builder: UEFI (/sys/firmware/efi) or not
    Firmware,
    /// The kernel's name and release
    Kernel,
}

impl Variation {
    pub(crate) const ALL: [Variation; 12] = [
        Variation::HostName,
        Variation::Path,
        Variation::User,
        Variation::Umask,
        Variation::Cpus,
        Variation::Locale,
        Variation::TimeZone,
        Variation::Environment,
        Variation::Clock,
        Variation::DirectoryOrder,
        Variation::Firmware,
        Variation::Kernel,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Variation::HostName => "host-name",
            Variation::Path => "path",
            Variation::User => "user",
            Variation::Umask => "umask",
            Variation::Cpus => "cpus",
            Variation::Locale => "locale",
            Variation::TimeZone => "time-zone",
            Variation::Environment => "environment",
            Variation::Clock => "clock",
            Variation::DirectoryOrder => "directory-order",
            Variation::Firmware => "firmware",
            Variation::Kernel => "kernel",
        }
    }

    /// Why it cannot be varied there; `None` where it can.
    pub(crate) fn unsupported_reason(self, there: &BuildTraits) -> Option<&'static str> {
        match self {
            Variation::Cpus if there.cpus < 2 => Some("this machine has one CPU"),
            Variation::User if there.submodule => {
                Some("derivative-maker builds as the user that its builder has")
            }
            Variation::User if there.engine == EngineKind::Host => {
                Some("engine host builds as root")
            }
            Variation::Clock => {
                Some("the clock is the whole machine's; build B only runs later than build A")
            }
            Variation::DirectoryOrder if there.scratch_gib == 0 => {
                Some("recipe.toml names no scratch_gib: the stages do not work in out/tmp")
            }
            // the tmpfs and what the tools themselves take
            Variation::DirectoryOrder if there.memory < 2 * (there.scratch_gib << 30) => {
                Some("a tmpfs over out/tmp would take more than half of the memory")
            }
            Variation::Kernel => Some(
                "one machine runs one kernel; the other name that setarch can give, 2.6, glibc refuses",
            ),
            _ => None,
        }
    }
}

impl FromStr for Variation {
    type Err = String;

    fn from_str(name: &str) -> Result<Variation, String> {
        Variation::ALL.into_iter().find(|factor| factor.name() == name).ok_or_else(|| {
            let names = Variation::ALL.map(Variation::name).join(", ");
            format!("no `{name}`: expected all, none or a list out of {names}")
        })
    }
}

/// What decides which factors can be varied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BuildTraits {
    pub(crate) engine: EngineKind,
    pub(crate) cpus: usize,
    /// Bytes.
    pub(crate) memory: u64,
    /// What the recipe puts into out/tmp, GiB; 0 where it works elsewhere.
    pub(crate) scratch_gib: u64,
    /// Whether derivative-maker builds.
    pub(crate) submodule: bool,
}

/// The conditions of one build; the default is the contract's constants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BuildConditions {
    pub(crate) varied: BTreeSet<Variation>,
}

impl BuildConditions {
    pub(crate) fn of(factors: impl IntoIterator<Item = Variation>) -> BuildConditions {
        BuildConditions { varied: factors.into_iter().collect() }
    }

    fn has(&self, factor: Variation) -> bool {
        self.varied.contains(&factor)
    }

    /// The folder that holds recipe, conf and out inside.
    pub(crate) fn home(&self) -> &'static str {
        if self.has(Variation::Path) { "/home/user/another/place" } else { "/home/user" }
    }

    /// Whether the copies of recipe and conf lie in another folder.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.has(Variation::Path)
    }

    pub(crate) fn host_name(&self) -> &'static str {
        if self.has(Variation::HostName) { "another-host" } else { HOSTNAME }
    }

    /// CPUs that the build may use, of those that there are.
    pub(crate) fn cpus(&self, there_are: usize) -> usize {
        if self.has(Variation::Cpus) { 1 } else { there_are }
    }

    /// What stands before the entry in the command line inside.
    pub(crate) fn wrapper(&self, engine: EngineKind) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let as_root = self.steps_of_root();
        if !as_root.is_empty() {
            let in_builder = engine != EngineKind::Host;
            let user = if self.has(Variation::User) { "another" } else { "user" };
            let back = if in_builder {
                format!("exec setpriv --reuid {user} --regid {user} --init-groups -- ")
            } else {
                "exec ".to_owned()
            };
            if in_builder {
                // -E: the contract's environment
                words.extend(["sudo", "-n", "-E"].map(str::to_owned));
            }
            if self.has(Variation::Firmware) {
                // what it mounts is for the entry alone, not for the builder's systemd
                words.extend(["unshare", "--mount"].map(str::to_owned));
            }
            let script = format!("set -e; {}; {back}\"$@\"", as_root.join("; "));
            words.extend(["bash", "-c", &script, "another-root"].map(str::to_owned));
        }
        if self.has(Variation::Umask) {
            words.extend(
                ["bash", "-c", "umask 077 && exec \"$@\"", "another-umask"].map(str::to_owned),
            );
        }
        if self.has(Variation::Cpus) {
            words.extend(["taskset", "--cpu-list", "0"].map(str::to_owned));
        }
        words
    }

    fn steps_of_root(&self) -> Vec<&'static str> {
        let mut steps = Vec::new();
        if self.has(Variation::DirectoryOrder) {
            // a tmpfs lists the newest entry first; ext4 goes by a hash, xfs and btrfs by age
            steps.push(
                "mkdir -p \"$SILVERMETAL_HOME/out/tmp\"; \
                 mount -t tmpfs -o mode=1777 another-order \"$SILVERMETAL_HOME/out/tmp\"",
            );
        }
        if self.has(Variation::User) {
            // the entry needs an account to use sudo
            steps.push("useradd --no-create-home --uid 2345 another");
            steps.push("echo 'another ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/another");
        }
        if self.has(Variation::Firmware) {
            // over the host's /sys, one more folder, or its whiteout (overlayfs)
            steps.push("mount -t tmpfs tmpfs /mnt && mkdir /mnt/firmware");
            steps.push(
                "if [ -d /sys/firmware/efi ]; then mknod /mnt/firmware/efi c 0 0; \
                 else mkdir /mnt/firmware/efi; fi",
            );
            steps.push("mount -t overlay overlay -o lowerdir=/mnt:/sys /sys");
        }
        steps
    }

    /// Variables of the *caller's* side: none of them may get in.
    pub(crate) fn outside(&self) -> Vec<(&'static str, &'static str)> {
        let mut env = Vec::new();
        if self.has(Variation::Locale) {
            env.extend([("LANG", "tr_TR.UTF-8"), ("LANGUAGE", "tr"), ("LC_COLLATE", "C")]);
        }
        if self.has(Variation::TimeZone) {
            env.push(("TZ", "Asia/Kathmandu"));
        }
        if self.has(Variation::Environment) {
            env.extend([
                ("SILVERMETAL_CANARY_IN_THE_MINE", "1"),
                ("GREP_OPTIONS", "--color=always"),
                ("CDPATH", "/"),
            ]);
        }
        env
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_factor_everything_is_as_the_contract_says() {
        let plain = BuildConditions::default();
        assert_eq!((plain.home(), plain.host_name(), plain.cpus(4)), ("/home/user", HOSTNAME, 4));
        assert!(plain.wrapper(EngineKind::Private).is_empty() && plain.outside().is_empty());
    }

    #[test]
    fn every_factor_changes_something_or_says_why_it_cannot() {
        let there = BuildTraits {
            engine: EngineKind::Private,
            cpus: 2,
            memory: 4 << 30,
            scratch_gib: 2,
            submodule: false,
        };
        for factor in Variation::ALL {
            let varied = BuildConditions::of([factor]);
            let plain = BuildConditions::default();
            let changes = varied.home() != plain.home()
                || varied.host_name() != plain.host_name()
                || varied.cpus(2) != plain.cpus(2)
                || varied.wrapper(EngineKind::Private) != plain.wrapper(EngineKind::Private)
                || varied.outside() != plain.outside();
            let beyond = factor.unsupported_reason(&there).is_some();
            assert!(changes != beyond, "{factor:?}");
        }
        let base = Variation::User.unsupported_reason(&BuildTraits { submodule: true, ..there });
        assert!(base.is_some_and(|why| why.contains("derivative-maker")));
    }
}
