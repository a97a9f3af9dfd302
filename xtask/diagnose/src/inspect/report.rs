//! What is said of an image.

use super::{Contents, Violation};
use crate::text::{bytes, printable};
use serde_json::{Value, json as value};
use xtask_core::calendar;

pub(super) fn text(contents: &Contents, recipe: &str, violations: &[Violation]) -> String {
    let mut out = String::new();
    if violations.is_empty() {
        say!(out, "holds the content policy of recipe {}", recipe);
    } else {
        let n = violations.len();
        let word = if n == 1 { "violation" } else { "violations" };
        say!(out, "{n} {word} of the content policy of recipe {}", recipe);
        for violation in violations {
            say!(out, "  - {} [{}]", printable(&violation.what), violation.rule);
        }
    }
    say!(out, "\n{}", contents.path.display());
    let date = contents.volume_date.map(calendar::utc).unwrap_or_else(|| "no date".to_owned());
    say!(out, "  {} `{}`, {date}", bytes(contents.size), printable(&contents.label));
    let firmware = contents.firmware.join(", ");
    say!(out, "  boots under: {}", if firmware.is_empty() { "nothing" } else { &firmware });
    if !contents.partitions.is_empty() {
        say!(out, "  partitions: {}", printable(&contents.partitions.join("; ")));
    }
    for entry in &contents.boot {
        say!(out, "  boot entry `{}` ({})", printable(&entry.title), printable(&entry.file));
        say!(out, "    {} {}", printable(&entry.kernel), printable(&entry.parameters.join(" ")));
    }
    for (path, version) in &contents.kernels {
        say!(out, "  kernel {version} ({})", printable(path));
    }
    if let Some(root) = &contents.root {
        say!(
            out,
            "  root file system {}: {} ({}), {} entries, {} unpacked, {} packages",
            printable(&root.path),
            bytes(root.size),
            root.compressor,
            root.entries,
            bytes(root.unpacked),
            root.packages.len()
        );
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

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

pub(super) fn json(contents: &Contents, recipe: &str, violations: &[Violation]) -> Value {
    let sized = |list: &[(String, u64)]| {
        list.iter().map(|(name, size)| value!({ "name": name, "size": size })).collect::<Vec<_>>()
    };
    let root = contents.root.as_ref().map(|root| {
        value!({
            "path": root.path,
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
    });
    value!({
        "format": "silvermetal-inspection/1",
        "verdict": if violations.is_empty() { "holds" } else { "violated" },
        "recipe": recipe,
        "violations": violations.iter()
            .map(|v| value!({ "rule": v.rule, "what": v.what }))
            .collect::<Vec<_>>(),
        "path": contents.path,
        "size": contents.size,
        "label": contents.label,
        "volume_date": contents.volume_date,
        "source_date_epoch": contents.epoch,
        "firmware": contents.firmware,
        "partitions": contents.partitions,
        "boot_entries": contents.boot.iter()
            .map(|e| value!({
                "file": e.file, "title": e.title, "kernel": e.kernel, "parameters": e.parameters,
            }))
            .collect::<Vec<_>>(),
        "kernels": contents.kernels.iter()
            .map(|(path, version)| value!({ "path": path, "version": version }))
            .collect::<Vec<_>>(),
        "root": root,
        "largest": sized(&contents.largest),
    })
}
