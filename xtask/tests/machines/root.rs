//! A Debian machine: a root made with mmdebstrap, entered with a real root switch.

use crate::support::running::signal;
use crate::support::{Checkout, Ran, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use xtask_core::facts::host::am_root;

/// README's packages.
const README: &str = "ca-certificates,curl,gcc,git,libc6-dev";

/// The machines share this host's network, and their private engines have the same bridge.
static ONE: Mutex<()> = Mutex::new(());

/// A machine of one Debian suite, with a checkout at /src. Its files go when it is dropped.
pub(crate) struct Debian {
    root: PathBuf,
    checkout: Checkout,
    /// systemd as PID 1, if it was booted.
    init: Option<Init>,
    _one: MutexGuard<'static, ()>,
}

struct Init {
    outer: Child,
    pid: u32,
    cgroups: PathBuf,
}

impl Debian {
    /// Makes a machine with README's packages and `more`.
    pub(crate) fn new(suite: &str, more: &[&str]) -> Debian {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(am_root(), "a root switch needs root");
        let checkout = Checkout::new("machine");
        drop(checkout.xtask(["help"])); // builds the programs
        let root = checkout.root.with_file_name("root");
        let archive = base(suite, &checkout);
        fs::create_dir(&root).unwrap();
        let mut tar = Command::new("tar");
        run(tar.arg("-C").arg(&root).args(["--exclude", "./dev/*", "-xf"]).arg(archive)).exits(0);
        let target = checkout.root.join("target");
        fs::create_dir_all(target.join("debug")).unwrap();
        fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let own = Path::new(env!("CARGO_BIN_EXE_xtask"));
        for name in ["xtask", "diagnose"] {
            fs::copy(own.with_file_name(name), target.join("debug").join(name)).unwrap();
        }
        let machine = Debian { root, checkout, init: None, _one: one };
        if !more.is_empty() {
            let install = "apt-get update -qq && apt-get install -qq --yes --no-install-recommends";
            machine.sh(&format!("{install} {}", more.join(" "))).exits(0);
        }
        machine
    }

    /// Runs a shell script on it, as root.
    pub(crate) fn sh(&self, script: &str) -> Ran {
        let mut command = match &self.init {
            Some(init) => {
                let mut nsenter = Command::new("nsenter");
                nsenter.args(["--all", "--target", &init.pid.to_string()]);
                nsenter.args(["env", "--chdir=/src", "-i", "HOME=/root", "LC_ALL=C.UTF-8"]);
                nsenter.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
                nsenter
            }
            None => self.entering(&["--kill-child"]),
        };
        run(command.args(["sh", "-c", script]))
    }

    /// `xtask WORDS` in its checkout.
    pub(crate) fn xtask(&self, words: &str) -> Ran {
        self.sh(&format!("/src/target/debug/xtask {words}"))
    }

    fn entering(&self, more: &[&str]) -> Command {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machines/enter.sh");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--uts", "--ipc", "--fork", "--propagation", "private"]);
        unshare.args(more).args(["sh", script]).args([&self.root, &self.checkout.root]);
        unshare.stdin(Stdio::null());
        unshare
    }

    /// Boots systemd as its PID 1. Later scripts run beside it.
    pub(crate) fn boot(&mut self) {
        let cgroups = self.checkout.root.with_file_name("cgroups");
        fs::create_dir(&cgroups).unwrap();
        run(Command::new("mount").args(["-t", "cgroup2", "none"]).arg(&cgroups)).exits(0);
        let group = cgroups.join(format!("silvermetal-{}", std::process::id()));
        fs::create_dir(&group).unwrap();
        let mut enter = self.entering(&["--cgroup"]);
        enter.arg("/sbin/init");
        // a cgroup of its own first, so that it is the root of the new cgroup namespace
        let mut outer = Command::new("sh");
        outer.args(["-c", "echo $$ >\"$0/cgroup.procs\"; exec \"$@\""]).arg(&group);
        outer.arg(enter.get_program()).args(enter.get_args());
        outer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let outer = outer.spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(120);
        let pid = loop {
            let children = format!("/proc/{0}/task/{0}/children", outer.id());
            let children = fs::read_to_string(children).unwrap_or_default();
            let init = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
            let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm"));
            if let Some(pid) = init.filter(|pid| name(*pid).is_ok_and(|n| n.trim() == "systemd")) {
                break pid;
            }
            assert!(Instant::now() < patience, "systemd does not start");
            std::thread::sleep(Duration::from_millis(200));
        };
        self.init = Some(Init { outer, pid, cgroups: group });
        let ready =
            "until systemctl is-system-running | grep -qE 'running|degraded'; do sleep 1; done";
        self.sh(&format!("timeout 120 sh -c \"{ready}\"")).exits(0);
    }

    /// Everything that is enabled: units, and links of System V's init.
    pub(crate) fn enabled(&self) -> String {
        let links = "find /etc/systemd /etc/rc2.d -type l -not -name 'K*' 2>/dev/null | sort";
        self.sh(links).exits(0).stdout
    }

    /// Names of all installed packages.
    pub(crate) fn packages(&self) -> Vec<String> {
        let list = self.sh("dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'").exits(0).stdout;
        list.lines().filter_map(|line| line.strip_prefix("ii  ")).map(str::to_owned).collect()
    }

    /// Makes a user with a copy of the checkout, and runs xtask there as this user.
    pub(crate) fn xtask_as(&self, user: &str, words: &str) -> Ran {
        self.sh(&format!(
            "id {user} >/dev/null 2>&1 || useradd --create-home {user}
             [ -e /home/{user}/sm ] || {{ cp -r /src /home/{user}/sm; chown -R {user}: /home/{user}; }}
             su {user} -c 'cd ~/sm && target/debug/xtask {words}'"
        ))
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        let Some(mut init) = self.init.take() else { return };
        signal("KILL", init.pid);
        drop(init.outer.wait());
        let remove = "sleep 1; find \"$0\" -depth -type d -exec rmdir {} +; umount \"${0%/*}\"";
        drop(Command::new("sh").args(["-c", remove]).arg(&init.cgroups).output());
    }
}

/// The archive of a suite's minimal root. It is made once; `cargo xtask clean --all` removes it.
fn base(suite: &str, checkout: &Checkout) -> PathBuf {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("silvermetal");
    let archive = state.join(format!("machine-{suite}.tar"));
    if archive.exists() {
        return archive;
    }
    fs::create_dir_all(&state).unwrap();
    let part = archive.with_extension("part");
    let mirror = mirror(checkout);
    let mut command = Command::new("mmdebstrap");
    command.args(["--variant=minbase", "--format=tar", "--dpkgopt=force-unsafe-io"]);
    command.arg(format!("--include={README}"));
    // a mirror may be a frozen copy
    command.args([
        "--aptopt=Acquire::Check-Valid-Until \"false\"",
        "--aptopt=Acquire::Languages \"none\"",
    ]);
    if suite == "forky" {
        // Debian 12's own keyring is older than forky's keys
        command.arg("--keyring").arg(keyring(checkout));
    }
    command.args([suite, part.to_str().unwrap(), &format!("deb {mirror} {suite} main")]);
    run(&mut command).exits(0);
    fs::rename(part, &archive).unwrap();
    archive
}

/// The mirror that this host's apt uses, as a dry run names it.
fn mirror(checkout: &Checkout) -> String {
    let plan = ["iso", "canary", "--engine", "private", "--dry-run", "-v"];
    let plan = run(&mut checkout.xtask(plan));
    let word =
        plan.stdout.split([' ', '\'']).find_map(|w| w.strip_prefix("SILVERMETAL_UPSTREAM_DEBIAN="));
    word.expect("a mirror in the plan").to_owned()
}

/// trixie's keyring, from its root.
fn keyring(checkout: &Checkout) -> PathBuf {
    let dir = checkout.root.with_file_name("keyring");
    fs::create_dir(&dir).unwrap();
    let name = "./usr/share/keyrings/debian-archive-keyring.pgp";
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&dir).arg("-xf").arg(base("trixie", checkout)).arg(name);
    run(&mut tar).exits(0);
    // apt knows the format by the end of the name
    let keyring = dir.join("debian.gpg");
    symlink(dir.join(name), &keyring).unwrap();
    keyring
}
