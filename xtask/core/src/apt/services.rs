//! Keeps the services off that newly installed packages bring.
//!
//! Debian starts and enables every service that it installs. A private dockerd needs the programs of
//! docker.io, and not its service: a system daemon that nobody asked for opens a socket, sets firewall rules
//! and comes back at every boot. So no new service is started (policy-rc.d) and none stays enabled.

use crate::escape::Shown as _;
use crate::exec::{Cmd, which};
use crate::ui::Ui;
use anyhow::{Context as _, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Program that decides whether a package may start or stop a service, if it exists
/// (/usr/share/doc/init-system-helpers/README.policy-rc.d.gz).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Second line of our policy. A file with this line is ours to replace and to remove.
const MARK: &str = "# Written by cargo xtask --setup";

/// Folders of units of the system, and of every user.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/etc/systemd/user", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Folders in which the links of enabled units lie, and the option of systemctl for each.
const ENABLED: [(&str, &str); 2] =
    [("/etc/systemd/system", "--system"), ("/etc/systemd/user", "--global")];

/// Start and stop links of the run level that Debian boots into under System V's init.
const RUN_LEVEL: &str = "/etc/rc2.d";

/// Folder that exists while systemd is PID 1 (sd_booted(3)).
const SYSTEMD_RUNS: &str = "/run/systemd/system";

/// Services before an installation.
pub(super) struct Services {
    /// Links that enable units.
    links: BTreeSet<PathBuf>,
    /// True if the policy is ours, so that it has to be removed.
    ours: bool,
}

impl Services {
    /// Notes which services are enabled, and forbids packages to start a service that is not known yet.
    pub(super) fn gather() -> Result<Services> {
        let policy = Path::new(POLICY);
        let known = fs::read_to_string(policy);
        let foreign = policy.symlink_metadata().is_ok()
            && !known.is_ok_and(|text| text.lines().nth(1).is_some_and(|line| line == MARK));
        let services = Services { links: links(), ours: !foreign };
        if services.ours {
            let part = policy.with_extension("silvermetal-part");
            let write = || {
                fs::write(&part, policy_script(&known_services(), std::process::id()))?;
                fs::set_permissions(&part, fs::Permissions::from_mode(0o755))?;
                fs::rename(&part, policy)
            };
            write().with_context(|| format!("cannot write {POLICY}"))?;
        }
        Ok(services)
    }

    /// Disables every unit that was enabled meanwhile, and says so.
    pub(super) fn keep_off(self, ui: &Ui) -> Result<()> {
        let mut names = BTreeSet::new();
        let mut failed = Vec::new();
        let new: Vec<PathBuf> = links().difference(&self.links).cloned().collect();
        for (folder, option) in ENABLED {
            let units: BTreeMap<String, &PathBuf> = new
                .iter()
                .filter(|link| link.starts_with(folder))
                .filter_map(|link| Some((unit_of(link)?, link)))
                .collect();
            if units.is_empty() {
                continue;
            }
            if let Err(error) = disable(option, &units) {
                failed.push(format!("{error:#}"));
            }
            names.extend(units.into_keys());
        }
        if let Err(error) = disable_scripts(&new, &mut names) {
            failed.push(format!("{error:#}"));
        }
        drop(self);
        if !names.is_empty() {
            let names = names.into_iter().collect::<Vec<_>>().join(" ");
            ui.notice(&format!(
                "the installed packages bring services that this build does not need; they are \
                 neither started nor enabled (to use one: systemctl enable --now NAME): {names}"
            ));
        }
        if !failed.is_empty() {
            bail!("cannot disable services that --setup installed: {}", failed.join("; "));
        }
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if self.ours {
            drop(fs::remove_file(POLICY));
        }
    }
}

/// Disables units, with systemctl or by removing the links that an installation made.
fn disable(option: &str, units: &BTreeMap<String, &PathBuf>) -> Result<()> {
    if which("systemctl").is_some() {
        let mut cmd = Cmd::new("systemctl").args([option, "disable"]);
        if option == "--system" && Path::new(SYSTEMD_RUNS).exists() {
            cmd = cmd.arg("--now"); // a policy of somebody else may have started it
        }
        cmd.arg("--").args(units.keys()).read()?;
    }
    // without systemctl, deb-systemd-helper has made them
    for link in links().into_iter().filter(|link| units.values().any(|own| *own == link)) {
        fs::remove_file(&link).with_context(|| format!("cannot remove {}", link.shown()))?;
    }
    Ok(())
}

/// Disables services whose start links System V's init would follow, on a machine that runs it.
fn disable_scripts(new: &[PathBuf], names: &mut BTreeSet<String>) -> Result<()> {
    let scripts = new.iter().filter(|link| link.starts_with(RUN_LEVEL)).filter_map(|link| {
        // `S01docker`
        link.file_name()?.to_str()?.strip_prefix('S')?.get(2..).map(str::to_owned)
    });
    for name in scripts.collect::<BTreeSet<_>>() {
        Cmd::new("update-rc.d").args([&name, "disable"]).read()?;
        names.insert(name);
    }
    Ok(())
}

/// All links that enable a service.
fn links() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    if !Path::new(SYSTEMD_RUNS).exists() {
        found.extend(entries(Path::new(RUN_LEVEL)));
    }
    for (folder, _) in ENABLED {
        for entry in entries(Path::new(folder)) {
            if entry.is_dir() && !entry.is_symlink() {
                found.extend(entries(&entry).into_iter().filter(|path| path.is_symlink()));
            } else if entry.is_symlink() {
                found.insert(entry);
            }
        }
    }
    found
}

/// Name of the unit that a link enables; `None` for a mask.
fn unit_of(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    let name = target.file_name()?.to_str()?;
    // `wants/getty@tty1.service` points at the template `getty@.service`
    let name = if name.contains("@.") { link.file_name()?.to_str()? } else { name };
    (target != Path::new("/dev/null")).then(|| name.to_owned())
}

/// Names of all services that this machine has: units, and scripts of System V.
fn known_services() -> BTreeSet<String> {
    let folders = UNITS.iter().copied().chain(["/etc/init.d"]);
    let files = folders.flat_map(|folder| entries(Path::new(folder)));
    let names = files.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    // a name with a newline would be two lines of the script
    names.filter(|name| !name.contains(char::is_control)).collect()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The policy: services that are known may be started and stopped as always, and no other is started. It
/// allows everything when the process `pid` is gone, so that it does no harm if that was killed.
fn policy_script(known: &BTreeSet<String>, pid: u32) -> String {
    let known: String = known.iter().map(|name| format!("{name}\n")).collect();
    format!(
        "#!/bin/sh\n{MARK}\n\
         # No service that is new on this machine is started. xtask removes this file.\n\
         case $(readlink /proc/{pid}/exe) in */xtask | */xtask' (deleted)') ;; *) exit 0 ;; esac\n\
         for word in \"$@\"; do\n\
         \x20 case $word in --*) continue ;; esac\n\
         \x20 while read -r name; do\n\
         \x20   [ \"$word\" != \"$name\" ] || exit 0\n\
         \x20 done <<'END-OF-NAMES'\n\
         {known}END-OF-NAMES\n\
         \x20 exit 101\n\
         done\n\
         exit 101\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exit code of the policy for one question, asked by a package while `pid` installs it.
    fn verdict(pid: u32, words: &[&str]) -> crate::exec::Exit {
        let known = ["cron.service", "cron", "with blank.service"].map(str::to_owned);
        let script = policy_script(&known.into_iter().collect(), pid);
        // the tests' program has another name than xtask
        let script = script.replace("*/xtask |", "* |");
        let cmd = Cmd::new("sh").args(["-c", &script, "policy-rc.d"]).args(words);
        cmd.output().unwrap().exit
    }

    #[test]
    fn only_services_that_are_new_are_not_started() {
        let own = std::process::id();
        for known in ["cron.service", "cron", "with blank.service"] {
            assert!(verdict(own, &[known, "restart"]).ok(), "{known}");
        }
        for new in ["docker.service", "docker", "cron.service.d", "cron*", "END-OF-NAMES"] {
            assert_eq!(verdict(own, &[new, "start"]), crate::exec::Exit::Code(101), "{new}");
            assert_eq!(verdict(own, &["--quiet", new, "start"]), crate::exec::Exit::Code(101));
        }
    }

    #[test]
    fn the_policy_of_a_process_that_is_gone_forbids_nothing() {
        let known = BTreeSet::new();
        let script = policy_script(&known, u32::MAX);
        let cmd = Cmd::new("sh").args(["-c", &script, "policy-rc.d", "docker.service", "start"]);
        assert!(cmd.output().unwrap().exit.ok());
        // the pid may belong to another program by now
        let script = policy_script(&known, std::process::id());
        let cmd = Cmd::new("sh").args(["-c", &script, "policy-rc.d", "docker.service", "start"]);
        assert!(cmd.output().unwrap().exit.ok());
    }
}
