//! The report on an image, as text and as JSON.

use super::contents::Contents;
use super::roots::Root;
use super::violation::Violation;
use crate::text::{bytes, counted, printable};
use serde_json::{Value, json as value};
use xtask_core::calendar;
use xtask_core::escape::Shown as _;

pub(super) fn text(contents: &Contents, recipe: &str, violations: &[Violation]) -> String {
    let mut out = String::new();
    if violations.is_empty() {
        say!(out, "holds the content policy of recipe {}", recipe);
    } else {
        say!(out, "{}", headline(recipe, violations));
        for violation in violations {
            say!(out, "  - {} [{}]", printable(&violation.what), violation.rule);
        }
    }
    say!(out, "\n{}", contents.path.shown());
    let date = contents.volume_date.map(calendar::utc).unwrap_or_else(|| "no date".to_owned());
    say!(out, "  {} `{}`, {date}", bytes(contents.size), printable(&contents.label));
    let firmware = contents.firmware.join(", ");
    say!(out, "  boots under: {}", if firmware.is_empty() { "nothing" } else { &firmware });
    if !contents.partitions.is_empty() {
        say!(out, "  partitions: {}", printable(&contents.partitions.join("; ")));
    }
    for entry in &contents.boot {
        say!(out, "  boot entry `{}` ({})", printable(&entry.title), printable(&entry.file));
        say!(out, "    {} {}", printable(&entry.kernel), printable(&entry.command_line));
    }
    for (path, version) in &contents.kernels {
        say!(out, "  kernel {version} ({})", printable(path));
    }
    for root in &contents.roots {
        say!(
            out,
            "  {} {}: {} ({}), {} entries, {} unpacked, {} packages",
            if root.initramfs { "initramfs" } else { "root file system" },
            printable(&root.path),
            bytes(root.size),
            root.compressor,
            root.entries,
            bytes(root.unpacked),
            root.packages.len()
        );
        if root.packages.is_empty() && root.sources.is_empty() {
            continue;
        }
        let sources: Vec<String> =
            root.sources.iter().map(|s| format!("{} {}", s.uri, s.suite)).collect();
        say!(out, "  package sources: {}", printable(&or_none(&sources.join("; "))));
        let packages: Vec<String> = root
            .largest_packages
            .iter()
            .map(|(name, kib)| format!("{name} ({})", bytes(kib.saturating_mul(1024))))
            .collect();
        say!(out, "  largest packages: {}", printable(&or_none(&packages.join(", "))));
    }
    let largest: Vec<String> =
        contents.largest.iter().map(|(path, size)| format!("{path} ({})", bytes(*size))).collect();
    if !largest.is_empty() {
        say!(out, "  largest parts: {}", printable(&largest.join(", ")));
    }
    out
}

/// Summary of the violations, in one line.
pub(super) fn headline(recipe: &str, violations: &[Violation]) -> String {
    let unclear = violations.iter().filter(|violation| violation.is_unclear()).count();
    let broken = violations.len() - unclear;
    let mut parts = Vec::new();
    if broken > 0 {
        parts.push(counted(broken, "violation", "violations"));
    }
    if unclear > 0 {
        parts.push(counted(
            unclear,
            "thing that inspect cannot tell",
            "things that inspect cannot tell",
        ));
    }
    format!("{} of the content policy of recipe {recipe}", parts.join(" and "))
}

/// `holds`, `violated`, or `cannot tell` if nothing is known to break the policy.
fn verdict(violations: &[Violation]) -> &'static str {
    match violations {
        [] => "holds",
        violations if violations.iter().all(Violation::is_unclear) => "cannot tell",
        _ => "violated",
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

pub(super) fn json(contents: &Contents, recipe: &str, violations: &[Violation]) -> Value {
    let sized = |list: &[(String, u64)]| {
        list.iter().map(|(name, size)| value!({ "name": name, "size": size })).collect::<Vec<_>>()
    };
    let root = |root: &Root| {
        value!({
            "path": root.path,
            "kind": if root.initramfs { "initramfs" } else { "squashfs" },
            "size": root.size,
            "compressor": root.compressor,
            "entries": root.entries,
            "unpacked": root.unpacked,
            "packages": root.packages,
            "largest_packages_kib": sized(&root.largest_packages),
            "package_sources": root.sources.iter()
                .map(|s| value!({ "file": s.file, "uri": s.uri, "suite": s.suite }))
                .collect::<Vec<_>>(),
        })
    };
    value!({
        "format": "silvermetal-inspection/1",
        "verdict": verdict(violations),
        "recipe": recipe,
        "violations": violations.iter()
            .map(|v| value!({ "rule": v.rule, "what": v.what }))
            .collect::<Vec<_>>(),
        "path": contents.path.to_string_lossy(),
        "size": contents.size,
        "label": contents.label,
        "volume_date": contents.volume_date,
        "source_date_epoch": contents.epoch,
        "firmware": contents.firmware,
        "partitions": contents.partitions,
        "boot_entries": contents.boot.iter()
            .map(|e| value!({
                "file": e.file, "title": e.title, "kernel": e.kernel,
                "parameters": e.parameters().words().collect::<Vec<_>>(),
                "command_line": e.command_line,
            }))
            .collect::<Vec<_>>(),
        "kernels": contents.kernels.iter()
            .map(|(path, version)| value!({ "path": path, "version": version }))
            .collect::<Vec<_>>(),
        "root": contents.root().map(root),
        "roots": contents.roots.iter().map(root).collect::<Vec<_>>(),
        "largest": sized(&contents.largest),
    })
}
