//! Conditions that must not change the builder image. `image build --verify` varies them for its second build.
//!
//! Nothing of them may stay in the image: the base and the build context get more files, and the last step of the
//! Dockerfile removes them. If one stayed, the two images would differ.

use crate::engine::variations::Variation;
use anyhow::{Context as _, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, quoted};
use xtask_core::record_file;

/// Package of the library that shows programs another time.
pub(crate) const CLOCK_PACKAGE: &str = "libfaketime";
/// The library, at one path on this machine, in the base and in the image: LD_PRELOAD names it everywhere.
const CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// Difference of the clocks. A day and some hours, so that every date differs; the lists of a mirror expire after seven
/// days, and would be refused.
const HOURS: u64 = 31;
const UMASK: &str = "077";
const HOST_NAME: &str = "another-host";
/// Memory of a machine whose base is bootstrapped in memory, for another order of folders. The base takes 300 MB.
const MEMORY: u64 = 4 << 30;

/// Conditions of one build. The default is: as this machine has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImageConditions {
    varied: Vec<Variation>,
    left_out: Vec<(Variation, &'static str)>,
}

/// Facts about this machine that decide which conditions can be varied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VariationTraits {
    /// True if the base is bootstrapped here.
    pub(crate) bootstraps: bool,
    pub(crate) root: bool,
    /// Bytes.
    pub(crate) memory: u64,
    /// True if this machine has the library, or can install it.
    pub(crate) clock: bool,
}

impl ImageConditions {
    /// All conditions that can be varied on this machine.
    pub(crate) fn other(machine: VariationTraits) -> ImageConditions {
        let mut conditions = ImageConditions::default();
        let mut vary = |variation, reason: Option<&'static str>| match reason {
            None => conditions.varied.push(variation),
            Some(reason) => conditions.left_out.push((variation, reason)),
        };
        let base = |reason: &'static str| match (machine.bootstraps, machine.root) {
            (false, _) => Some("the base was pulled, and not made here"),
            (true, false) => Some(reason),
            (true, true) => None,
        };
        let no_clock = "this machine has no package libfaketime";
        vary(Variation::Clock, (!machine.clock).then_some(no_clock));
        vary(Variation::HostName, base("only root can change it for mmdebstrap"));
        vary(Variation::Umask, None);
        let order = base("only root can mount another file system for mmdebstrap");
        let small = "the base would take too much memory";
        vary(Variation::DirectoryOrder, order.or((machine.memory < MEMORY).then_some(small)));
        conditions
    }

    fn has(&self, variation: Variation) -> bool {
        self.varied.contains(&variation)
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.varied.iter().map(|variation| variation.name()).collect()
    }

    /// Conditions that were not varied, with the reason; also the steps of a build that a variation does not reach.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let whole = self.left_out.iter().copied();
        let partly = self.varied.iter().filter_map(|v| Some((*v, beyond(*v)?)));
        whole.chain(partly).map(|(v, reason)| format!("{}: {reason}", v.name())).collect()
    }

    /// Options of mmdebstrap that make it work under these conditions, and that prove it.
    pub(super) fn hooks(&self) -> Vec<String> {
        let mut hooks = Vec::new();
        if self.has(Variation::Clock) {
            let folder = Path::new(CLOCK).parent().unwrap_or(Path::new("/"));
            let (library, folder) = (quoted(CLOCK), quoted(folder));
            hooks.push(format!(
                "--setup-hook=umask 022 && mkdir -p \"$1\"{folder} && cp {library} \"$1\"{library}"
            ));
            let proof = format!("test \"$(date +%s)\" -ge {}", later());
            hooks.push(format!("--customize-hook=chroot \"$1\" sh -c {}", quoted(proof)));
            hooks.push(format!("--customize-hook=rm -r \"$1\"{folder}"));
        }
        if self.has(Variation::HostName) {
            hooks.push(format!("--customize-hook=test \"$(uname -n)\" = {HOST_NAME}"));
        }
        hooks
    }

    /// Runs mmdebstrap under these conditions. `empty` is a folder for its temporary files.
    pub(super) fn around(&self, bootstrap: Cmd, empty: &Path) -> Cmd {
        let mut cmd = bootstrap;
        let mut steps = Vec::new();
        let mut outer = None;
        if self.has(Variation::HostName) || self.has(Variation::DirectoryOrder) {
            // the names and mounts end with the command
            outer = Some(Cmd::new("unshare").args(["--uts", "--mount", "--"]));
        }
        if self.has(Variation::HostName) {
            steps.push(format!("echo {HOST_NAME} >/proc/sys/kernel/hostname"));
        }
        if self.has(Variation::DirectoryOrder) {
            // a tmpfs lists the newest entry first, ext4 sorts by a hash
            let empty = quoted(empty);
            steps.push(format!("mount -t tmpfs -o mode=0755 another-order {empty}"));
            steps.push(format!("export TMPDIR={empty}"));
        }
        if self.has(Variation::Umask) {
            steps.push(format!("umask {UMASK}"));
        }
        for (name, value) in self.clock_environment() {
            cmd = cmd.env(name, value);
        }
        if steps.is_empty() {
            return cmd;
        }
        let script = format!("set -e; {}; exec \"$@\"", steps.join("; "));
        cmd = cmd.wrapped_by(Cmd::new("sh").args(["-c", &script, "another-machine"]));
        match outer {
            Some(outer) => cmd.wrapped_by(outer),
            None => cmd,
        }
    }

    /// Options of `docker build`. BuildKit gives every container one name; the other builders take the container's id.
    pub(super) fn build_arguments(&self) -> Option<(&'static str, String)> {
        self.has(Variation::HostName).then(|| ("BUILDKIT_SANDBOX_HOSTNAME", HOST_NAME.to_owned()))
    }

    /// A Dockerfile whose steps run under these conditions, made from another one. A step of its own proves it, and the
    /// last one removes the library.
    fn dockerfile(&self, text: &str) -> Result<String> {
        let mut begin = Vec::new();
        let (mut proofs, mut end) = (Vec::new(), None);
        if self.has(Variation::Umask) {
            begin.push(format!("umask {UMASK}"));
            proofs.push(format!("[ \"$(umask)\" = 0{UMASK} ]"));
        }
        for (name, value) in self.clock_environment() {
            begin.push(format!("export {name}={value}"));
        }
        let mut copy = None;
        if self.has(Variation::Clock) {
            let folder = Path::new(CLOCK).parent().unwrap_or(Path::new("/"));
            copy = Some(format!("COPY {CLOCK_FILE} {CLOCK}\n"));
            proofs.push(format!("[ \"$(date +%s)\" -ge {} ]", later()));
            end = Some(format!("\nRUN rm -r {}\n", quoted(folder)));
        }
        if begin.is_empty() {
            return Ok(text.to_owned());
        }
        let script = format!("{}; exec /bin/sh -c \"$0\"", begin.join("; "));
        let shell = serde_json::json!(["/bin/sh", "-c", script]);
        let more =
            format!("{}SHELL {shell}\nRUN {}\n", copy.unwrap_or_default(), proofs.join(" && "));
        let from = |line: &str| {
            let word = line.split_ascii_whitespace().next().unwrap_or_default();
            word.eq_ignore_ascii_case("FROM")
        };
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let last = lines.iter().rposition(|line| from(line)).context("it has no FROM")?;
        let (before, after) = lines.split_at(last + 1);
        Ok([&before.concat(), &more, &after.concat(), &end.unwrap_or_default()]
            .map(String::as_str)
            .concat())
    }

    /// Changes the build context, in which the Dockerfile and all files are.
    pub(super) fn prepare(&self, context: &Path) -> Result<()> {
        if self.has(Variation::Clock) {
            let to = context.join(CLOCK_FILE);
            fs::copy(CLOCK, &to).with_context(|| format!("cannot copy {CLOCK}"))?;
            // the mode in the image: every user's programs load it
            fs::set_permissions(&to, Permissions::from_mode(0o644))?;
        }
        let file = context.join("Dockerfile.builder");
        let other = self.dockerfile(&record_file::text(&file)?);
        let other = other.with_context(|| format!("cannot vary {}", file.shown()))?;
        fs::write(&file, other).with_context(|| format!("cannot write {}", file.shown()))
    }

    fn clock_environment(&self) -> Vec<(&'static str, String)> {
        if !self.has(Variation::Clock) {
            return Vec::new();
        }
        vec![
            ("LD_PRELOAD", CLOCK.to_owned()),
            ("FAKETIME", format!("+{HOURS}h")),
            // times of files are the kernel's, and so they stay; waiting takes the time that it takes
            ("NO_FAKE_STAT", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DISABLE_SHM", "1".to_owned()),
        ]
    }
}

/// Name of the library in the build context.
const CLOCK_FILE: &str = "another-clock.so";

/// The library, if this machine has it.
pub(crate) fn has_clock() -> bool {
    Path::new(CLOCK).is_file()
}

/// Seconds since 1970 that another clock shows at least.
fn later() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    now.as_secs() + HOURS * 3600 - 60
}

/// The steps that a variation does not reach, although it is varied elsewhere in the build.
fn beyond(variation: Variation) -> Option<&'static str> {
    match variation {
        Variation::Clock => Some(
            "times that the kernel gives to files, and programs without libc, have the machine's clock: there the second \
             build is only later",
        ),
        Variation::HostName => Some(
            "in the steps of the Dockerfile the engine chooses the name: Docker's legacy builder and podman a new one for \
             each container, BuildKit the one that it is given",
        ),
        Variation::DirectoryOrder => Some(
            "only while the base is made: in the steps of the Dockerfile the engine's storage decides",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: VariationTraits =
        VariationTraits { bootstraps: true, root: true, memory: 8 << 30, clock: true };
    const DOCKERFILE: &str =
        "ARG BASE\nFROM one AS tools\nRUN a\nfrom ${BASE}\nCOPY x /x\nRUN b \\\n && c";

    #[test]
    fn without_another_condition_nothing_changes() {
        let same = ImageConditions::default();
        assert_eq!(same.dockerfile(DOCKERFILE).unwrap(), DOCKERFILE);
        let cmd = Cmd::new("mmdebstrap").arg("trixie");
        assert_eq!(same.around(cmd.clone(), Path::new("/x")), cmd);
        assert!(same.hooks().is_empty() && same.left_out().is_empty());
    }

    #[test]
    fn the_steps_of_the_last_stage_run_under_the_conditions() {
        let other = ImageConditions::other(ALL).dockerfile(DOCKERFILE).unwrap();
        let (before, rest) = other.split_once("from ${BASE}\n").unwrap();
        assert_eq!(before, "ARG BASE\nFROM one AS tools\nRUN a\n");
        let lines: Vec<&str> = rest.lines().collect();
        assert_eq!(lines[0], format!("COPY another-clock.so {CLOCK}"));
        assert!(lines[1].starts_with("SHELL [\"/bin/sh\",\"-c\",\"umask 077; export LD_PRELOAD="));
        assert!(lines[1].ends_with("; exec /bin/sh -c \\\"$0\\\"\"]"), "{}", lines[1]);
        assert!(lines[2].starts_with("RUN [ \"$(umask)\" = 0077 ] && [ \"$(date +%s)\" -ge "));
        assert_eq!(lines[3..6], ["COPY x /x", "RUN b \\", " && c"]);
        assert_eq!(lines[6], "RUN rm -r /usr/lib/x86_64-linux-gnu/faketime");
        assert!(ImageConditions::other(ALL).dockerfile("RUN x").is_err());
    }

    #[test]
    fn what_cannot_be_varied_is_said() {
        let poor = VariationTraits { bootstraps: true, root: false, memory: 8 << 30, clock: false };
        let other = ImageConditions::other(poor);
        assert_eq!(other.names(), ["umask"]);
        let left_out = other.left_out().join("\n");
        for name in ["clock: this machine", "host-name: only root", "directory-order: only root"] {
            assert!(left_out.contains(name), "{left_out}");
        }
        let small = ImageConditions::other(VariationTraits { memory: 1 << 30, ..ALL });
        assert_eq!(small.names(), ["clock", "host-name", "umask"]);
        let all = ImageConditions::other(ALL);
        assert_eq!(all.names(), ["clock", "host-name", "umask", "directory-order"]);
        assert_eq!(all.left_out().len(), 3, "{:?}", all.left_out());
    }
}
