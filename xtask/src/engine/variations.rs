//! Conditions that must not change the ISO. `verify --vary` changes them for build B.

use crate::engine::EngineKind;
use std::collections::BTreeSet;
use std::str::FromStr;
use xtask_core::escape::Shown as _;

/// Host name of every build. It is a constant, so that the machine's name cannot get into the ISO.
pub(crate) const HOSTNAME: &str = "silvermetal-builder";

/// One condition that a build must not depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variation {
    /// The builder's host name
    HostName,
    /// The path of the checkout, outside and inside the builder
    Path,
    /// The user that the entry runs as
    User,
    /// The umask that the entry starts with
    Umask,
    /// The number of CPUs, or on a machine with two CPUs of jobs
    Cpus,
    /// The caller's locale
    Locale,
    /// The caller's time zone
    TimeZone,
    /// Additional variables in the caller's environment
    Environment,
    /// The clock
    Clock,
    /// The order in which directories list their entries
    DirectoryOrder,
    /// The host's firmware as the builder sees it: UEFI (/sys/firmware/efi) or BIOS
    Firmware,
    /// The kernel's name and release
    Kernel,
    /// The model of the CPU
    CpuModel,
}

impl Variation {
    pub(crate) const ALL: [Variation; 13] = [
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
        Variation::CpuModel,
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
            Variation::CpuModel => "cpu-model",
        }
    }

    /// Returns the reason why it cannot be varied in such a build; `None` if it can.
    pub(crate) fn unsupported_reason(self, build: &BuildTraits) -> Option<&'static str> {
        match self {
            Variation::User if build.submodule => {
                Some("derivative-maker works only as the builder's own user")
            }
            Variation::User if build.engine == EngineKind::Host => {
                Some("engine host builds as root")
            }
            Variation::Clock if build.engine != EngineKind::Vm => {
                Some("containers share the machine's clock: --engine vm has one of its own")
            }
            Variation::Clock if build.lists_expire => Some(
                "a year later the mirror's package lists have expired: use the pinned snapshot, or \
                 --from-inputs",
            ),
            Variation::DirectoryOrder if build.scratch_gib == 0 => {
                Some("recipe.toml names no scratch_gib: the stages do not work in out/tmp")
            }
            // memory for the tmpfs, and as much again for the tools
            Variation::DirectoryOrder if build.memory < 2 * (build.scratch_gib << 30) => {
                Some("a tmpfs over out/tmp would take more than half of the memory")
            }
            Variation::Kernel if build.engine != EngineKind::Vm => {
                Some("containers share the machine's kernel: --engine vm has one of its own")
            }
            Variation::Kernel if build.kernels < 2 => {
                Some("this machine's apt has only one kernel for engine vm")
            }
            Variation::CpuModel if build.engine != EngineKind::Vm => {
                Some("containers share the machine's CPU: --engine vm has a model of its own")
            }
            _ => None,
        }
    }
}

impl FromStr for Variation {
    type Err = String;

    fn from_str(name: &str) -> Result<Variation, String> {
        Variation::ALL.into_iter().find(|factor| factor.name() == name).ok_or_else(|| {
            let names = Variation::ALL.map(Variation::name).join(", ");
            format!(
                "unknown condition `{}`: expected all, none, or a list of {names}",
                name.shown()
            )
        })
    }
}

/// Traits of a build that decide which factors can be varied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BuildTraits {
    pub(crate) engine: EngineKind,
    /// Bytes.
    pub(crate) memory: u64,
    /// Size in GiB of the recipe's files in out/tmp; 0 if it works elsewhere.
    pub(crate) scratch_gib: u64,
    /// True if derivative-maker makes the ISO.
    pub(crate) submodule: bool,
    /// Kernels that engine vm has here; 2 if `--setup` will get them.
    pub(crate) kernels: usize,
    /// True if the package lists come from a live mirror: they expire (Valid-Until).
    pub(crate) lists_expire: bool,
}

/// Seconds by which `--vary clock` is ahead: more than a year, so that the month, the day, the weekday and the
/// hour are others, too.
pub(crate) const AHEAD: u64 = ((400 * 24 + 7) * 60 + 13) * 60;

/// The conditions of one build. The default is the constants of the container contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BuildConditions {
    pub(crate) varied: BTreeSet<Variation>,
}

impl BuildConditions {
    pub(crate) fn of(factors: impl IntoIterator<Item = Variation>) -> BuildConditions {
        BuildConditions { varied: factors.into_iter().collect() }
    }

    pub(crate) fn has(&self, factor: Variation) -> bool {
        self.varied.contains(&factor)
    }

    /// The folder inside the builder that contains recipe, conf and out.
    pub(crate) fn home(&self) -> &'static str {
        if self.has(Variation::Path) { "/home/user/another/place" } else { "/home/user" }
    }

    /// Returns true if the copies of recipe and conf are in another folder.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.has(Variation::Path)
    }

    pub(crate) fn host_name(&self) -> &'static str {
        if self.has(Variation::HostName) { "another-host" } else { HOSTNAME }
    }

    /// The number of jobs that the build runs at once, on a machine with `available` CPUs: one less than
    /// there are, or on two CPUs one more. On one of two CPUs the build would take twice as long.
    pub(crate) fn jobs(&self, available: usize) -> usize {
        match available {
            _ if !self.has(Variation::Cpus) => available,
            0..=2 => available + 1,
            more => more - 1,
        }
    }

    /// Words before the recipe's entry in the command line inside the builder.
    /// The machine has `available` CPUs.
    pub(crate) fn wrapper(&self, engine: EngineKind, available: usize) -> Vec<String> {
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
                // -E keeps the environment of the container contract
                words.extend(["sudo", "-n", "-E"].map(str::to_owned));
            }
            if self.has(Variation::Firmware) {
                // only the entry sees these mounts; the builder's systemd does not
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
            let jobs = self.jobs(available);
            words.extend(match available.checked_sub(2) {
                Some(last) if jobs < available => {
                    ["taskset".to_owned(), "--cpu-list".to_owned(), format!("0-{last}")].to_vec()
                }
                // nproc(1) takes it for the number of CPUs, and OpenMP for that of threads
                _ => ["env".to_owned(), format!("OMP_NUM_THREADS={jobs}")].to_vec(),
            });
        }
        words
    }

    fn steps_of_root(&self) -> Vec<&'static str> {
        let mut steps = Vec::new();
        if self.has(Variation::DirectoryOrder) {
            // a tmpfs lists the newest entry first; ext4 sorts by a hash, xfs and btrfs by age
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
            // An overlay adds the folder efi, or hides it with a whiteout. It lies over this folder alone: what the
            // kernel adds below an overlay later, such as a loop device in use, is not seen through it.
            steps.push("mount -t tmpfs tmpfs /mnt");
            steps.push(
                "if [ -d /sys/firmware/efi ]; then mknod /mnt/efi c 0 0; else mkdir /mnt/efi; fi",
            );
            steps.push("mount -t overlay overlay -o lowerdir=/mnt:/sys/firmware /sys/firmware");
        }
        steps
    }

    /// Variables for the engine's client, outside the builder. None of them may reach the builder.
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
    fn without_a_factor_the_constants_of_the_contract_hold() {
        let plain = BuildConditions::default();
        assert_eq!((plain.home(), plain.host_name(), plain.jobs(4)), ("/home/user", HOSTNAME, 4));
        assert!(plain.wrapper(EngineKind::Private, 4).is_empty() && plain.outside().is_empty());
    }

    #[test]
    fn every_factor_changes_something_or_has_a_reason_why_not() {
        let there = BuildTraits {
            engine: EngineKind::Private,
            memory: 4 << 30,
            scratch_gib: 2,
            submodule: false,
            kernels: 2,
            lists_expire: false,
        };
        for factor in Variation::ALL {
            let varied = BuildConditions::of([factor]);
            let plain = BuildConditions::default();
            let changes = varied.home() != plain.home()
                || varied.host_name() != plain.host_name()
                || varied.jobs(2) != plain.jobs(2)
                || varied.wrapper(EngineKind::Private, 2) != plain.wrapper(EngineKind::Private, 2)
                || varied.outside() != plain.outside();
            let beyond = factor.unsupported_reason(&there).is_some();
            assert!(changes != beyond, "{factor:?}");
        }
        let base = Variation::User.unsupported_reason(&BuildTraits { submodule: true, ..there });
        assert!(base.is_some_and(|why| why.contains("derivative-maker")));
    }
    #[test]
    fn only_a_machine_of_its_own_has_another_clock_kernel_and_cpu() {
        let there = BuildTraits {
            engine: EngineKind::Vm,
            memory: 4 << 30,
            scratch_gib: 2,
            submodule: false,
            kernels: 2,
            lists_expire: false,
        };
        for factor in [Variation::Clock, Variation::Kernel, Variation::CpuModel] {
            let why = |traits| factor.unsupported_reason(&traits).unwrap_or_default();
            assert_eq!(why(there), "");
            assert!(
                why(BuildTraits { engine: EngineKind::Podman, ..there }).contains("--engine vm")
            );
        }
        let live = BuildTraits { lists_expire: true, ..there };
        assert!(Variation::Clock.unsupported_reason(&live).unwrap().contains("--from-inputs"));
        let one = BuildTraits { kernels: 1, ..there };
        assert!(Variation::Kernel.unsupported_reason(&one).unwrap().contains("only one kernel"));
    }

    #[test]
    fn no_machine_builds_on_half_of_its_cpus() {
        let varied = BuildConditions::of([Variation::Cpus]);
        let of = |available| varied.wrapper(EngineKind::Private, available).join(" ");
        assert_eq!(of(8), "taskset --cpu-list 0-6");
        assert_eq!(of(3), "taskset --cpu-list 0-1");
        assert_eq!(of(2), "env OMP_NUM_THREADS=3");
        assert_eq!(of(1), "env OMP_NUM_THREADS=2");
        assert_eq!([8, 3, 2, 1].map(|available| varied.jobs(available)), [7, 2, 3, 2]);
    }
}
