//! What has to hold: of every image, and by its recipe's policy.

use super::Violation;
use super::contents::{Contents, Root};
use super::traces::Traces;
use anyhow::Result;
use xtask_core::apt::sources::Source;
use xtask_core::recipe::Policy;
use xtask_core::{calendar, glob};

/// Examples that are named of a violation.
const NAMED: usize = 5;

/// Files that must not be there, whatever is in them (`true`: even when empty).
const FORBIDDEN: [(&str, &str, &[&str], bool); 7] = [
    (
        "host-keys",
        "SSH host keys are in the image: every copy would have the same",
        &["etc/ssh/ssh_host_*_key*", "etc/dropbear/**/*_host_key"],
        true,
    ),
    (
        "logs",
        "logs of the build are in the image",
        &["var/log/**", "var/lib/dkms/**/log/**"],
        false,
    ),
    (
        "apt-lists",
        "apt's lists are in the image",
        &[
            "var/lib/apt/lists/*_InRelease",
            "var/lib/apt/lists/*_Release*",
            "var/lib/apt/lists/*_Packages*",
            "var/lib/apt/lists/*_Sources*",
            "var/lib/apt/lists/*_Translation-*",
        ],
        true,
    ),
    (
        "random-seed",
        "a seed of the random number generator is in the image",
        &[
            "var/lib/systemd/random-seed",
            "var/lib/systemd/credential.secret",
            "var/lib/urandom/random-seed",
        ],
        false,
    ),
    (
        "nvme-hostid",
        "a random NVMe host id is in the image: every copy would have the same",
        &["etc/nvme/hostid", "etc/nvme/hostnqn"],
        true,
    ),
    (
        "mok",
        "a machine owner key was made during the build",
        &["var/lib/dkms/mok.*", "var/lib/shim-signed/mok/*", "var/lib/dkms/**/mok.*"],
        true,
    ),
    (
        "credentials",
        "credentials are in the image",
        &[
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
        ],
        false,
    ),
];

/// Whether the walk through the root file system has to remember a file.
pub(super) fn is_asked_for(path: &str) -> bool {
    let asked =
        |patterns: &[&str]| patterns.iter().any(|pattern| glob::matches_path(pattern, path));
    FORBIDDEN.iter().any(|(_, _, patterns, _)| asked(patterns)) || path == "var/lib/dbus/machine-id"
}

pub(super) fn violations(
    contents: &Contents,
    policy: &Policy,
    traces: &Traces,
) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    boot(contents, policy, &mut found);
    times(contents, &mut found);
    match &contents.root {
        None => found.push(Violation::new("root", "no squashfs with a root file system was found")),
        Some(root) => {
            sources(root, policy, &mut found);
            files(root, &mut found);
        }
    }
    found.extend(traces.search(contents)?);
    Ok(found)
}

fn boot(contents: &Contents, policy: &Policy, found: &mut Vec<Violation>) {
    for firmware in &policy.firmware {
        if !contents.firmware.iter().any(|other| other.eq_ignore_ascii_case(firmware)) {
            let there = if contents.firmware.is_empty() {
                "it has no boot entry".to_owned()
            } else {
                format!("it has entries for {}", contents.firmware.join(", "))
            };
            found.push(Violation::new(
                "boot-path",
                format!("does not boot under {firmware}: {there}"),
            ));
        }
    }
    if policy.kernel_parameters.is_empty() {
        return;
    }
    if contents.boot.is_empty() {
        found.push(Violation::new(
            "kernel-parameters",
            "no boot entry was found whose kernel command line could be checked",
        ));
    }
    for entry in &contents.boot {
        let missing: Vec<&str> = policy
            .kernel_parameters
            .iter()
            .filter(|parameter| !has(&entry.parameters, parameter))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let what = format!(
                "{}: boot entry `{}` lacks {} on the kernel's command line",
                entry.file,
                entry.title,
                missing.join(" ")
            );
            found.push(Violation::new("kernel-parameters", what));
        }
    }
}

/// Whether the parameter has its effect: of one that is given twice, the kernel takes the last.
fn has(parameters: &[String], wanted: &str) -> bool {
    let Some((name, _)) = wanted.split_once('=') else {
        return parameters.iter().any(|parameter| parameter == wanted);
    };
    let same =
        |parameter: &&String| parameter.split_once('=').is_some_and(|(other, _)| other == name);
    parameters.iter().rev().find(same).is_some_and(|parameter| parameter == wanted)
}

fn times(contents: &Contents, found: &mut Vec<Violation>) {
    let Some(epoch) = contents.epoch else { return };
    let late: Vec<&(String, i64)> =
        contents.times.iter().filter(|(_, time)| *time > epoch).collect();
    let mut say = |count: u64, of: &str, first: &[(String, i64)]| {
        let first: Vec<String> =
            first.iter().map(|(path, time)| format!("{path} ({})", calendar::utc(*time))).collect();
        let what = format!(
            "{count} times in {of} are later than SOURCE_DATE_EPOCH ({}): {}",
            calendar::utc(epoch),
            listed(&first, count)
        );
        found.push(Violation::new("times", what));
    };
    if !late.is_empty() {
        let first: Vec<_> = late.iter().take(NAMED).map(|late| (*late).clone()).collect();
        say(late.len() as u64, "the ISO", &first);
    }
    if let Some(root) = contents.root.as_ref().filter(|root| root.late > 0) {
        say(root.late, "the root file system", &root.latest[..root.latest.len().min(NAMED)]);
    }
}

fn sources(root: &Root, policy: &Policy, found: &mut Vec<Violation>) {
    for source in &root.sources {
        let host = source.host();
        if !policy.package_hosts.iter().any(|allowed| allowed == host) {
            let allowed = if policy.package_hosts.is_empty() {
                "expected no package source at all".to_owned()
            } else {
                format!("expected one of {}", policy.package_hosts.join(", "))
            };
            let what = format!("{}: packages from {}: {allowed}", source.file, source.uri);
            found.push(Violation::new("package-sources", what));
        }
    }
    for suite in &policy.suites {
        let enabled = |s: &&Source| {
            s.suite.trim_end_matches('/') == suite
                && policy.package_hosts.iter().any(|h| h == s.host())
        };
        if !root.sources.iter().any(|source| enabled(&source)) {
            let what = if root.sources.is_empty() {
                format!("no package source is enabled: {suite} is missing, so are its updates")
            } else {
                format!("no enabled package source has the suite {suite}")
            };
            found.push(Violation::new("package-sources", what));
        }
    }
}

fn files(root: &Root, found: &mut Vec<Violation>) {
    for (rule, what, patterns, even_empty) in FORBIDDEN {
        let there: Vec<String> = root
            .files
            .iter()
            .filter(|(path, size)| {
                (even_empty || *size > 0) && patterns.iter().any(|p| glob::matches_path(p, path))
            })
            .map(|(path, _)| path.clone())
            .collect();
        if !there.is_empty() {
            let count = there.len() as u64;
            let named = listed(&there[..there.len().min(NAMED)], count);
            found.push(Violation::new(rule, format!("{what}: {named}")));
        }
    }
    // systemd writes `uninitialized` to have first-boot units run (machine-id(5))
    let empty = |id: &[u8]| id.is_empty() || id == b"uninitialized\n";
    let dbus =
        root.files.iter().any(|(path, size)| path == "var/lib/dbus/machine-id" && *size > 40);
    if root.machine_id.as_deref().is_some_and(|id| !empty(id)) || dbus {
        let what = "etc/machine-id is not empty: every copy of the image would have the same";
        found.push(Violation::new("machine-id", what));
    }
}

fn listed(first: &[String], count: u64) -> String {
    let more = count.saturating_sub(first.len() as u64);
    let more = if more > 0 { format!(", … and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_parameters_counts() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(has(&words("a init_on_alloc=1 slab_nomerge"), "init_on_alloc=1"));
        assert!(has(&words("a init_on_alloc=1 slab_nomerge"), "slab_nomerge"));
        assert!(!has(&words("init_on_alloc=1 b init_on_alloc=0"), "init_on_alloc=1"));
        assert!(!has(&words("slab_nomerge=x"), "slab_nomerge"));
    }
}
