//! Reasons why an entry may start something else than a root of the image, or that root in another way.

use super::boot::{BootEntry, Parameters};
use super::contents::Contents;

/// Parameters that make the initramfs take its root from somewhere else (live-boot(7),
/// dracut.cmdline(7)): name, and values that do not.
const ELSEWHERE: [(&str, &[&str]); 20] = [
    ("bootfrom", &["", "removable", "removable-usb"]),
    ("hooks", &[]),
    ("live_config.hooks", &[]),
    ("module", &[]),
    ("rd.live.overlay", &["", "none"]),
    ("rd.overlay", &["", "0", "1", "none"]),
    ("fetch", &[]),
    ("httpfs", &[]),
    ("ftpfs", &[]),
    ("netboot", &[]),
    ("nfsroot", &[]),
    ("nfsopts", &[]),
    ("plainroot", &[]),
    ("fromiso", &[""]),
    ("findiso", &[""]),
    ("iso_scan/filename", &[""]),
    ("live_media", &["", "removable", "removable-usb"]),
    ("live_media_offset", &[]),
    ("systemd.pull", &[]),
    ("rd.systemd.pull", &[]),
];

/// Words without a value by which something else runs than the root as it is (init(1),
/// kernel-command-line(7), live-boot(7)).
const CHANGED_WORDS: [&str; 9] =
    ["1", "S", "_b", "emergency", "persistence", "persistent", "rescue", "s", "single"];

/// Parameters by which something else runs than the root as it is: name, and values that do not
/// (kernel-command-line(7), dracut.cmdline(7), Linux's kernel-parameters).
const CHANGED: [(&str, &[&str]); 14] = [
    ("apparmor", &["", "1"]),
    ("init", &["", "/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"]),
    ("initcall_blacklist", &[""]),
    ("module_blacklist", &[""]),
    ("modprobe.blacklist", &[""]),
    ("rd.break", &["0", "no"]),
    ("rd.systemd.debug_shell", &["0", "no"]),
    ("rd.systemd.mask", &[""]),
    ("rdinit", &["", "/init"]),
    ("security", &["", "apparmor"]),
    ("systemd.debug_shell", &["0", "no"]),
    ("systemd.mask", &[""]),
    ("systemd.run", &[""]),
    ("systemd.wants", &[""]),
];

/// Why the entry may boot a root that is not among those of the image.
pub(super) fn other_root(contents: &Contents, entry: &BootEntry) -> Vec<String> {
    let parameters = entry.parameters();
    let said = |what: String| format!("{}: boot entry `{}`: {what}", entry.file, entry.title);
    let elsewhere = |word: String| said(format!("{word} takes the root from elsewhere"));
    let changed = |word: String| said(format!("{word} runs something else than the root as it is"));
    let mut all = Vec::new();
    for (name, harmless) in ELSEWHERE {
        let value = parameters.all(name).find(|value| !harmless.contains(value));
        all.extend(value.map(|value| elsewhere(format!("{name}={value}"))));
    }
    for name in CHANGED_WORDS {
        if parameters.all(name).any(str::is_empty) {
            all.push(changed(name.to_owned()));
        }
    }
    for (name, harmless) in CHANGED {
        if let Some(value) = parameters.all(name).find(|value| !harmless.contains(value)) {
            let word = if value.is_empty() { name.to_owned() } else { format!("{name}={value}") };
            all.push(changed(word));
        }
    }
    let lists_apparmor = |value: &str| value.split(',').any(|name| name == "apparmor");
    if let Some(value) = parameters.all("lsm").find(|value| !lists_apparmor(value)) {
        all.push(changed(format!("lsm={value}")));
    }
    let target = parameters.all("systemd.unit").find(|unit| {
        ["rescue.", "emergency.", "debug-shell."].iter().any(|start| unit.starts_with(start))
    });
    if let Some(unit) = target {
        all.push(changed(format!("systemd.unit={unit}")));
    }
    if let Some(value) =
        parameters.all("root").find(|value| other_medium(contents, &parameters, value))
    {
        all.push(said(format!("root={value} is no medium with this image's label")));
    }
    if let Some(folder) = live_folder(&parameters)
        && !contents.roots.iter().any(|root| root.is_in(&folder))
    {
        all.push(said(format!("its roots, {folder}/*.squashfs, are not in this image")));
    }
    for value in parameters.all("root") {
        let value = value.strip_prefix("live:").unwrap_or(value);
        if ["http:", "https:", "ftp:", "tftp:", "nfs", "nbd:", "iscsi:", "cifs:", "torrent:"]
            .iter()
            .any(|start| value.starts_with(start))
        {
            all.push(elsewhere(format!("root={value}")));
        }
    }
    for name in ["systemd.set_credential", "systemd.set_credential_binary"] {
        let value = parameters.all(name).next();
        all.extend(value.map(|value| said(format!("{name}={value} sets what a service reads"))));
    }
    let is_live = parameters.all("boot").any(|value| value == "live")
        || parameters.all("rd.live.image").next().is_some();
    if let Some(value) = parameters.all("root").find(|value| !value.starts_with("live:"))
        && !is_live
    {
        all.push(said(format!("root={value} is a root on a disk, not in this image")));
    }
    if let Some(path) = dracut_root(&parameters)
        && !contents.roots.iter().any(|root| root.is_at(&path))
    {
        all.push(said(format!("its root, {path}, is no squashfs of this image")));
    }
    all
}

/// The path of the squashfs that dracut mounts, where the parameters name it.
pub(super) fn dracut_root(parameters: &Parameters) -> Option<String> {
    let last = |name| parameters.all(name).last().filter(|value| !value.is_empty());
    let (image, folder) = (last("rd.live.squashimg"), last("rd.live.dir"));
    if image.is_none() && folder.is_none() {
        return None;
    }
    let folder = folder.unwrap_or("LiveOS").trim_matches('/');
    Some(format!("{folder}/{}", image.unwrap_or("squashfs.img")))
}

/// True if dracut takes the live medium by another name than this image's label.
fn other_medium(contents: &Contents, parameters: &Parameters, root: &str) -> bool {
    let live = parameters.all("rd.live.image").next().is_some();
    let name = match root.strip_prefix("live:") {
        Some(name) => name,
        None if live => root,
        None => return false,
    };
    let network = name.contains("://") || name.starts_with("nfs");
    let label = ["CDLABEL=", "LABEL=", "/dev/disk/by-label/"];
    let label = label.iter().find_map(|start| name.strip_prefix(start));
    !network && label.is_none_or(|label| label.replace("\\x20", " ") != contents.label)
}

/// The folder whose squashfs live-boot mounts, where an entry starts it.
pub(super) fn live_folder(parameters: &Parameters) -> Option<String> {
    parameters.all("boot").find(|value| *value == "live")?;
    let folder = parameters.all("live_media_path").last().filter(|path| !path.is_empty());
    Some(folder.unwrap_or("live").trim_matches('/').to_owned())
}
