//! The files in which apt finds its package sources.

use xtask_core::apt::sources::{self, AptSource};

/// Files in which apt looks for sources.
pub(super) const FILES: [&str; 2] = ["etc/apt/sources.list", "etc/apt/sources.list.d/*"];

/// Files in which apt looks for its settings.
pub(super) const SETTINGS: [&str; 2] = ["etc/apt/apt.conf", "etc/apt/apt.conf.d/*"];

/// The enabled sources in a file. apt ignores files whose names have other signs than these.
pub(super) fn read(file: &str, text: &str) -> Vec<AptSource> {
    let name = file.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    if !name.chars().all(plain) || name.starts_with('.') {
        return Vec::new();
    }
    sources::read(file, text)
}

/// True if apt's settings name other places for the lists of sources (apt.conf(5), "Dir::Etc").
pub(super) fn moves_lists(settings: &str) -> bool {
    let text = settings.to_lowercase();
    text.contains("sourcelist") || text.contains("sourceparts")
}
