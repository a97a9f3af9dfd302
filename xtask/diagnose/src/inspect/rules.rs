//! The rules for every image, and those of a recipe's policy.

use super::contents::Contents;
use super::roots::Root;
use super::started::{dracut_root, live_folder, other_root};
use super::traces::Traces;
use super::violation::Violation;
use anyhow::Result;
use std::collections::BTreeSet;
use xtask_core::apt::sources::AptSource;
use xtask_core::calendar;
use xtask_core::recipe::Policy;

/// Examples that are named of a violation.
const NAMED: usize = 5;

/// Messages of one kind that are listed.
const LISTED: usize = 20;

pub(super) fn violations(
    contents: &Contents,
    policy: &Policy,
    flavor: Option<&str>,
    traces: &Traces,
) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    boot(contents, policy, &mut found);
    times(contents, &mut found);
    if contents.root().is_none() {
        found.push(Violation::new("root", "no squashfs with a root file system was found"));
    }
    sources(contents, policy, &mut found);
    packages(contents, policy, flavor, &mut found);
    files(contents, &mut found);
    found.extend(traces.search(contents)?);
    cannot_tell(contents, policy, &mut found);
    Ok(found)
}

/// Lists the parts that inspect did not understand. The image may hold the policy or not.
fn cannot_tell(contents: &Contents, policy: &Policy, found: &mut Vec<Violation>) {
    let mut unclear: BTreeSet<String> = contents.roots_unclear.clone();
    for root in &contents.roots {
        unclear.extend(root.unclear.iter().map(|what| in_root(contents, root, what)));
    }
    for entry in &contents.boot {
        unclear.extend(other_root(contents, entry));
    }
    if !policy.kernel_parameters.is_empty() {
        unclear.extend(contents.boot_unclear.iter().cloned());
    }
    let more = unclear.len().saturating_sub(LISTED);
    for what in unclear.iter().take(LISTED) {
        found.push(Violation::new(Violation::CANNOT_TELL, format!("cannot tell: {what}")));
    }
    if more > 0 {
        found.push(Violation::new(
            Violation::CANNOT_TELL,
            format!("cannot tell: … and {more} more"),
        ));
    }
}

/// `what` with the path of its root in front, unless there is only one.
fn in_root(contents: &Contents, root: &Root, what: &str) -> String {
    if contents.roots.len() > 1 && !root.path.is_empty() {
        format!("{}: {what}", root.path)
    } else {
        what.to_owned()
    }
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
    if contents.boot.is_empty() && contents.boot_unclear.is_empty() {
        found.push(Violation::new(
            "kernel-parameters",
            "no boot entry was found whose kernel command line could be checked",
        ));
    }
    for entry in &contents.boot {
        let parameters = entry.parameters();
        let missing: Vec<String> =
            policy.kernel_parameters.iter().filter_map(|wanted| parameters.lack(wanted)).collect();
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
    for root in contents.roots.iter().filter(|root| root.late > 0) {
        let of = in_root(contents, root, "the root file system");
        say(root.late, &of, &root.latest[..root.latest.len().min(NAMED)]);
    }
}

fn sources(contents: &Contents, policy: &Policy, found: &mut Vec<Violation>) {
    let allowed =
        |source: &AptSource| policy.package_hosts.iter().any(|host| host == source.host());
    for root in &contents.roots {
        for source in root.sources.iter().filter(|source| source.unsigned) {
            let what = format!("{}: packages from {} need no signature", source.file, source.uri);
            found.push(Violation::new("package-sources", in_root(contents, root, &what)));
        }
        for source in root.sources.iter().filter(|source| !allowed(source)) {
            let expected = if policy.package_hosts.is_empty() {
                "expected no package source at all".to_owned()
            } else {
                format!("expected one of {}", policy.package_hosts.join(", "))
            };
            let what = format!("{}: packages from {}: {expected}", source.file, source.uri);
            found.push(Violation::new("package-sources", in_root(contents, root, &what)));
        }
    }
    for root in systems(contents) {
        for suite in &policy.suites {
            let enabled = |source: &AptSource| {
                source.binary && source.suite.trim_end_matches('/') == suite && allowed(source)
            };
            if !root.sources.iter().any(enabled) {
                let what = if root.sources.is_empty() {
                    format!("no package source is enabled: {suite} is missing, so are its updates")
                } else {
                    format!("no enabled package source has the suite {suite}")
                };
                found.push(Violation::new("package-sources", in_root(contents, root, &what)));
            }
        }
    }
}

/// The packages of the flavor. If nobody knows the flavor, those of one of the recipe's flavors.
fn packages(
    contents: &Contents,
    policy: &Policy,
    flavor: Option<&str>,
    found: &mut Vec<Violation>,
) {
    let Some(root) = contents.root() else { return };
    let lacking = |wanted: &Vec<String>| {
        let missing = wanted.iter().filter(|name| !root.packages.contains_key(*name));
        missing.cloned().collect::<Vec<_>>()
    };
    let flavors = policy.packages.iter().filter(|(name, _)| flavor.is_none_or(|one| one == *name));
    let lists: Vec<(&String, Vec<String>)> =
        flavors.map(|(name, wanted)| (name, lacking(wanted))).collect();
    if !lists.is_empty() && lists.iter().all(|(_, missing)| !missing.is_empty()) {
        let what: Vec<String> = lists
            .iter()
            .map(|(name, missing)| format!("to be {name} it lacks {}", missing.join(", ")))
            .collect();
        found.push(Violation::new(
            "packages",
            in_root(contents, root, &format!("packages are missing: {}", what.join("; "))),
        ));
    }
}

/// Roots that have to be a whole system: those with a package database, those that a boot entry
/// mounts alone, and layers that replace another root's package sources.
fn systems(contents: &Contents) -> impl Iterator<Item = &Root> {
    let alone: Vec<String> =
        contents.boot.iter().filter_map(|entry| dracut_root(&entry.parameters())).collect();
    let roots = || contents.roots.iter().filter(|root| !root.initramfs);
    // folders of which live-boot mounts every squashfs, and none of which has a package database
    let folders: BTreeSet<String> = contents
        .boot
        .iter()
        .filter_map(|entry| live_folder(&entry.parameters()))
        .filter(|folder| roots().all(|root| root.packages.is_empty() || !root.is_in(folder)))
        .collect();
    let main = contents.root().map(|root| &root.path);
    roots().filter(move |root| {
        let replaces = roots().filter(|other| other.path != root.path).any(|other| {
            root.apt.hides || root.apt.files.intersection(&other.apt.files).next().is_some()
        });
        replaces
            || !root.packages.is_empty()
            || main == Some(&root.path)
            || alone.iter().any(|path| root.is_at(path))
            || folders.iter().any(|folder| root.is_in(folder))
    })
}

fn files(contents: &Contents, found: &mut Vec<Violation>) {
    let mut rules: Vec<(&str, &str)> = Vec::new();
    for forbidden in contents.roots.iter().flat_map(|root| &root.forbidden) {
        if !rules.iter().any(|(rule, _)| *rule == forbidden.rule) {
            rules.push((forbidden.rule, forbidden.what));
        }
    }
    for (rule, what) in rules {
        let mut count = 0;
        let mut paths = Vec::new();
        for root in &contents.roots {
            for forbidden in root.forbidden.iter().filter(|forbidden| forbidden.rule == rule) {
                count += forbidden.count;
                paths.extend(forbidden.paths.iter().map(|path| in_root(contents, root, path)));
            }
        }
        paths.truncate(NAMED);
        found.push(Violation::new(rule, format!("{what}: {}", listed(&paths, count))));
    }
    for root in &contents.roots {
        for path in &root.machine_ids {
            let what = format!("{path} is not empty: every copy of the image would have the same");
            found.push(Violation::new("machine-id", in_root(contents, root, &what)));
        }
    }
    for entry in &contents.boot {
        let parameters = entry.parameters();
        let id = parameters.all("systemd.machine_id").find(|id| !["", "firmware"].contains(id));
        if let Some(id) = id {
            let (file, title) = (&entry.file, &entry.title);
            let what = format!(
                "{file}: boot entry `{title}`: systemd.machine_id={id}: every copy of the image would \
                 have the same"
            );
            found.push(Violation::new("machine-id", what));
        }
    }
    for (number, file) in contents.volumes.files() {
        if format!("/{}", file.path.to_lowercase()).ends_with("/loader/random-seed")
            && contents.volumes.size(number) > 0
        {
            let what = format!("{}: a seed that every copy of the image would have", file.path);
            found.push(Violation::new("random-seed", what));
        }
    }
}

fn listed(first: &[String], count: u64) -> String {
    let more = count.saturating_sub(first.len() as u64);
    let more = if more > 0 { format!(", … and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}
