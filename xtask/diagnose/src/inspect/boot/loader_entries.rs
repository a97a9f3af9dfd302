//! systemd-boot's entries (the Boot Loader Specification), which GRUB's `blscfg` reads as well.

use super::entry::BootEntry;
use super::reader::{ConfigReader, is_memory_test};
use crate::inspect::volumes::{FileNumber, Volumes};

pub(super) fn read(volumes: &Volumes, reader: &mut ConfigReader) {
    let is_entry = |path: &str| {
        let path = format!("/{}", path.to_lowercase());
        path.contains("/loader/entries/") && path.ends_with(".conf")
    };
    for number in volumes.files_where(is_entry) {
        file(volumes, number, reader);
    }
}

fn file(volumes: &Volumes, number: FileNumber, reader: &mut ConfigReader) {
    let name = volumes.name(number);
    let text = match reader.text(volumes, number) {
        Ok(text) => text,
        Err(why) => return reader.findings.unclear(format!("{name}: {why}")),
    };
    let lines: Vec<(&str, &str)> = text
        .lines()
        .map(|line| line.trim_matches([' ', '\t', '\r']))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once([' ', '\t']))
        .map(|(key, value)| (key, value.trim_start_matches([' ', '\t'])))
        .collect();
    let all = |key: &str| -> Vec<&str> {
        lines.iter().filter(|(other, _)| *other == key).map(|(_, value)| *value).collect()
    };
    let options = all("options").join(" ");
    let title = all("title").last().copied().unwrap_or_default().to_owned();
    if options.contains('$') {
        reader.findings.unclear(format!("{name}: `options` with a variable"));
    }
    for key in ["linux", "efi", "uki"] {
        for path in all(key) {
            let files = volumes.find(path);
            let starts_linux = key == "linux" || files.iter().any(|file| volumes.is_kernel(*file));
            let unified = files.iter().any(|file| volumes.is_unified_kernel(*file));
            // a unified kernel image has a command line of its own, unless the entry has one
            if (!starts_linux && !unified)
                || (unified && options.is_empty())
                || is_memory_test(volumes, path, &files)
            {
                continue;
            }
            reader.findings.entry(BootEntry::new(&name, &title, path, &options));
        }
    }
    for path in all("initrd") {
        reader.findings.initrds.extend(volumes.find(path));
    }
}
